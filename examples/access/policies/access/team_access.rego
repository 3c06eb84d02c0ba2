# Who belongs to the team that owns a resource may do what the team allows its members; a guest of the team may read.
package access.team_access

resource := data.access.resources[input.resource.name]

team := data.access.teams[resource.team]

grants contains sprintf("member of %s", [resource.team]) if {
	input.user.id in team.members
	input.action in team.members_may
}

grants contains sprintf("guest of %s", [resource.team]) if {
	some guest in team.guests
	guest.id == input.user.id
	input.action == "tool:read"
	time.parse_rfc3339_ns(input.context.time) < time.parse_rfc3339_ns(guest.until)
}
