# May this user use this tool? The question an MCP gateway asks before each call, and its whole answer in one object.
#
# input.user        id, tenant, roles
# input.action      invoke, discover
# input.tool        name, tenant (of the server that offers it)
# input.parameters  of the call; what the tool keeps secret is not passed on
#
# The same input always has the same answer: no clock, no randomness, no network.
package mcp.gateway

# Whole and closed: whatever is missing from the input, there is an answer, and it is no.
default decision := {"allow": false, "reason": "the request is incomplete", "filtered_parameters": {}}

decision := denied("user is missing or has no id") if {
	not user_named
} else := denied(sprintf("unknown tool %s", [tool_name])) if {
	not tool
} else := denied(sprintf("unknown tenant %s", [tenant_name])) if {
	not tenant
} else := denied("user is suspended") if {
	input.user.id in tenant.suspended_users
} else := denied(sprintf("tool belongs to tenant %s", [input.tool.tenant])) if {
	not same_tenant
} else := denied(sprintf("tenant %s may not use tool %s", [tenant_name, tool_name])) if {
	tool_name in tenant.blocked_tools
} else := denied(sprintf("no role of the user may %s a tool of %s sensitivity", [input.action, tool.sensitivity])) if {
	count(granting_roles) == 0
} else := denied(sprintf("parameter %s is not accepted", [unaccepted[0]])) if {
	input.action == "invoke"
	count(unaccepted) > 0
} else := {
	"allow": true,
	"reason": sprintf("granted to %s", [concat(", ", sort(granting_roles))]),
	"filtered_parameters": filtered_parameters,
} if {
	count(granting_roles) > 0
}

denied(reason) := {"allow": false, "reason": reason, "filtered_parameters": {}}

user_named if {
	is_string(input.user.id)
	input.user.id != ""
}

tool_name := name if {
	name := input.tool.name
	is_string(name)
} else := "without a name"

tenant_name := name if {
	name := input.user.tenant
	is_string(name)
} else := "without a name"

tool := data.mcp.tools[tool_name]

tenant := data.mcp.tenants[tenant_name]

same_tenant if input.tool.tenant == input.user.tenant

same_tenant if "platform_admin" in input.user.roles

# A role grants an action on tools up to a sensitivity; a tenant can set its own lower limit.
granting_roles contains role if {
	some role in input.user.roles
	granted := data.mcp.roles[role]
	input.action in granted.actions
	level(tool.sensitivity) <= level(granted.max_sensitivity)
	level(tool.sensitivity) <= level(tenant.max_sensitivity)
}

level(sensitivity) := data.mcp.sensitivity_levels[sensitivity]

parameters := object.get(input, "parameters", {})

# Sorted, so that the reason names the same one each time.
unaccepted := sort([name |
	some name, _ in parameters
	not name in tool.parameters
	not name in tool.secret_parameters
])

# Secrets are left out; long texts are cut, so that a prompt cannot be smuggled into a log.
filtered_parameters := {name: shortened(value) |
	some name, value in parameters
	name in tool.parameters
}

shortened(value) := substring(value, 0, data.mcp.max_parameter_length) if {
	is_string(value)
	count(value) > data.mcp.max_parameter_length
} else := value
