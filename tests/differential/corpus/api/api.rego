# Routes of an HTTP API, matched by unification.
package api

import data.clients

default allow := false

allow if {
	input.method == "GET"
	input.path = ["public", _]
}

allow if {
	input.method == "GET"
	input.path = ["users", id]
	id == input.token.sub
}

allow if {
	some action in {"PUT", "DELETE"}
	action == input.method
	["users", id, "keys", key] = input.path
	input.token.sub = id
	regex.match(`^[0-9a-f]{4,8}$`, key)
}

allow if {
	scope_of[input.method][_] == input.token.scope[_]
	not input.token.readonly
}

scope_of := {"GET": ["api:read", "api:*"], "POST": ["api:write", "api:*"], "DELETE": ["api:*"]}

route := sprintf("/%s", [concat("/", input.path)])

route_kind := "user" if {
	input.path[0] == "users"
} else := "public" if {
	"public" == input.path[0]
} else := kind if {
	kind := {"v1": "old", "v2": "new"}[input.path[0]]
} else := "unknown"

limit := clients[client].limit if {
	client := input.token.client
} else := clients.default.limit

from_inside if {
	some block in ["10.0.0.0/8", "192.168.0.0/16", "fd00::/8"]
	net.cidr_contains(block, input.source)
}

status := 200 if allow

status := 401 if not input.token

status := 403 if {
	not allow
	input.token
}

headers["x-route"] := route

headers["x-limit"] := format_int(limit, 10)

headers[name] := value if {
	some name, value in input.headers
	lower(name) == name
	not name in {"x-route", "x-limit", "authorization"}
}

claims := json.unmarshal(base64url.decode(input.token.payload))

expires_in := claims.exp - input.now

fresh if expires_in > 0

version_ok if semver.compare(input.version, "1.2.0") >= 0

query := urlquery.encode_object({"q": [input.method, route_kind]})

segments := count(split(trim(route, "/"), "/"))
