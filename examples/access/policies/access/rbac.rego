# Roles grant actions; a role may stand on others.
package access.rbac

grants contains sprintf("role %s", [role]) if {
	some role in held
	some pattern in data.access.roles[role].actions
	glob.match(pattern, [":"], input.action)
}

held contains role if {
	some role in input.user.roles
	data.access.roles[role]
}

# Two steps are as deep as the data goes: who is given a role has what that one stands on.
held contains role if {
	some given in input.user.roles
	some role in object.get(data.access.roles[given], "includes", [])
}

held contains role if {
	some given in input.user.roles
	some between in object.get(data.access.roles[given], "includes", [])
	some role in object.get(data.access.roles[between], "includes", [])
}
