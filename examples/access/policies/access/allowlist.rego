# A resource may name who reaches it, by network or by subject; then nobody else does.
package access.allowlist

list := data.access.allowlists[input.resource.name]

objections contains sprintf("%s has a list of who may reach it", [input.resource.name]) if {
	list
	not on_list
}

on_list if input.user.id in list.users

on_list if input.agent.id in list.agents

on_list if {
	some block in list.networks
	net.cidr_contains(block, input.context.address)
}
