# May this user call this tool? The question a gateway asks before each call.
#
# input.user    id, tenant, roles
# input.action  invoke, discover
# input.tool    name, tenant
# input.parameters  of the call; those the tool keeps secret are not passed on
package authz

default decision := {"allow": false, "reason": "no role of the user grants it", "filtered_parameters": {}}

decision := {"allow": false, "reason": "unknown tool", "filtered_parameters": {}} if {
	not tool
} else := {"allow": false, "reason": "tool belongs to another tenant", "filtered_parameters": {}} if {
	not tenant_matches
} else := {"allow": false, "reason": "user is suspended", "filtered_parameters": {}} if {
	input.user.id in data.gateway.suspended
} else := {"allow": true, "reason": granting_reason, "filtered_parameters": passed_parameters}

default allow := false

allow := decision.allow

tool := data.gateway.tools[input.tool.name]

tenant_matches if input.tool.tenant == input.user.tenant

tenant_matches if "platform_admin" in input.user.roles

granting_roles contains role if {
	some role in input.user.roles
	input.action in data.gateway.roles[role].actions
	tool.sensitivity in data.gateway.roles[role].sensitivities
}

granting_reason := sprintf("granted to %s", [concat(", ", sort(granting_roles))]) if count(granting_roles) > 0

passed_parameters := object.remove(object.get(input, "parameters", {}), tool.secret_parameters)
