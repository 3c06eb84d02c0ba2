# What refuses a request although a role grants it. Each restriction adds its message.
package tenancy.restrictions

import data.classifications
import data.tenancy.access
import data.tenants

tenant := tenants[input.tenant]

messages contains sprintf("tenant %s is unknown", [input.tenant]) if not tenant

messages contains sprintf("tenant %s is %s", [input.tenant, tenant.state]) if tenant.state != "active"

messages contains sprintf("%s belongs to %s", [input.resource.path, input.resource.tenant]) if {
	input.resource.tenant != input.tenant
	not shared_with_tenant
}

shared_with_tenant if {
	some share in tenants[input.resource.tenant].shares
	share.tenant == input.tenant
	glob.match(share.resource, ["/"], input.resource.path)
}

messages contains sprintf("address %s is outside the networks of %s", [input.context.ip, input.tenant]) if {
	tenant
	not address_allowed
}

address_allowed if {
	some network in tenant.networks
	net.cidr_contains(network, input.context.ip)
}

messages contains sprintf("%s is not allowed at %d h UTC", [input.action, hour]) if {
	[hour, _, _] := time.clock(input.context.time)
	not within_hours(hour)
	not read_only
}

within_hours(hour) if {
	tenant.hours.from <= hour
	hour < tenant.hours.to
}

read_only if input.action in {"list", "read"}

level := classifications[input.resource.classification]

messages contains sprintf("classification %s is unknown", [input.resource.classification]) if not level

messages contains sprintf("%s data needs clearance %d", [input.resource.classification, level]) if {
	access.granted
	level > access.clearance
}

messages contains "a second factor is needed" if {
	level >= 3
	not input.context.mfa
}

messages contains sprintf("plan %s has no %s", [tenant.plan, input.action]) if {
	some excluded in plans[tenant.plan]
	excluded == input.action
}

plans := {
	"free": {"export", "share"},
	"team": {"export"},
	"enterprise": set(),
}
