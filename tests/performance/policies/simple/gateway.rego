# Who may call which tool: roles grant actions on kinds of tools, and a suspended user may do nothing.
package gateway.authz

default allow := false

allow if {
	not input.user.suspended
	some role in input.user.roles
	some grant in grants[role]
	grant.action == input.action
	input.tool.kind in grant.kinds
	input.tool.sensitivity <= grant.clearance
}

grants := {
	"viewer": [{"action": "call", "kinds": {"search", "read"}, "clearance": 1}],
	"developer": [{"action": "call", "kinds": {"search", "read", "write"}, "clearance": 2}],
	"admin": [{"action": "call", "kinds": {"search", "read", "write", "deploy"}, "clearance": 4}],
}
