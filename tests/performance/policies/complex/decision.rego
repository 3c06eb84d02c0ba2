# The answer of the multi-tenant authorization: whether, why, and with which of the caller's parameters.
package tenancy.decision

import data.tenancy.access
import data.tenancy.parameters
import data.tenancy.restrictions

default allow := false

allow if {
	access.granted
	count(denials) == 0
}

decision := {
	"allow": allow,
	"reason": reason,
	"filtered_parameters": filtered_parameters,
}

# Nothing is passed on with a refusal.
default filtered_parameters := {}

filtered_parameters := parameters.filtered if allow

denials contains message if some message in restrictions.messages

denials contains message if {
	not access.granted
	message := sprintf("no role of %s in %s grants %s on %s", [
		input.user.id,
		input.tenant,
		input.action,
		input.resource.path,
	])
}

reason := sprintf("granted by %s", [concat(", ", sort(access.granting))]) if allow

reason := concat("; ", sort(denials)) if not allow
