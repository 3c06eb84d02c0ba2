# Run with: opa test examples/access/policies examples/access/tests
package access.main_test

import data.access.main

moment := "2026-03-04T10:00:00Z"

lin := {"id": "lin", "roles": ["developer"], "mfa": {"methods": ["totp"], "at": "2026-03-04T09:40:00Z"}}

ada := {"id": "ada", "roles": ["admin"], "mfa": {"methods": ["webauthn"], "at": "2026-03-04T09:55:00Z"}}

context := {"time": moment, "address": "10.1.2.3", "spent": 40}

asked(user, action, resource) := {"user": user, "action": action, "resource": {"name": resource}, "context": context}

reason(question) := said if said := main.decision.reason with input as question

allowed(question) if main.decision.allow with input as question

test_a_role_and_a_team_grant if {
	main.decision == {"allow": true, "reason": "member of payments, role developer", "filtered_parameters": {"query": "open"}} with input as object.union(asked(lin, "tool:invoke", "invoices"), {"parameters": {"query": "open", "token": "t"}})
}

test_a_role_stands_on_others if allowed(asked(object.union(ada, {"roles": ["team_lead"]}), "tool:read", "refund"))

test_nothing_asked_is_denied if {
	not allowed({})
	reason({}) == "neither a user nor an agent asks"
}

test_a_user_who_is_an_agent_is_denied if {
	reason(object.union(asked(lin, "tool:read", "invoices"), {"agent": {"id": "bot"}})) == "a user and an agent ask at once"
}

test_without_a_role_nothing_grants if {
	reason(asked({"id": "kim", "roles": []}, "tool:invoke", "index")) in {"nothing grants it", "the resource is more sensitive than kim may reach"}
}

test_a_sensitive_resource_is_out_of_reach if {
	reason(asked(lin, "tool:invoke", "ledger")) == "the resource is more sensitive than lin may reach"
}

test_sensitive_resources_keep_working_hours if {
	allowed(asked(ada, "tool:invoke", "refund"))
	sunday := {"context": {"time": "2026-03-01T10:00:00Z"}, "user": {"mfa": {"at": "2026-03-01T09:59:00Z"}}}
	reason(object.union(asked(ada, "tool:invoke", "refund"), sunday)) == "outside working hours in Berlin"
}

test_frozen_is_frozen_but_for_reading if {
	holiday := {"context": {"time": "2026-12-24T10:00:00Z"}}
	reason(object.union(asked(lin, "tool:invoke", "invoices"), holiday)) == "frozen: the year's end"
	allowed(object.union(asked(lin, "tool:read", "invoices"), holiday))
}

test_a_blocked_network_and_an_unknown_one if {
	reason(object.union(asked(lin, "tool:read", "invoices"), {"context": {"address": "203.0.113.4"}})) == "requests from 203.0.113.4 are blocked"
	reason(object.union(asked(ada, "tool:read", "refund"), {"context": {"address": "192.0.2.200"}})) == "192.0.2.200 is no network of ours"
	reason(object.union(asked(lin, "tool:read", "invoices"), {"context": {"address": "home"}})) == "it is not known where the request comes from"
}

test_a_list_lets_nobody_else_in if {
	reason(object.union(asked(ada, "tool:read", "vault"), {"context": {"address": "192.0.2.7"}})) == "vault has a list of who may reach it"
}

test_a_second_factor_is_fresh_and_strong if {
	reason(asked(object.remove(ada, ["mfa"]), "tool:read", "refund")) == "a second factor is needed"
	stale := {"user": {"mfa": {"at": "2026-03-04T08:00:00Z"}}}
	reason(object.union(asked(ada, "tool:read", "refund"), stale)) == "the second factor is older than 60 minutes"
	future := {"user": {"mfa": {"at": "2026-03-04T10:00:01Z"}}}
	reason(object.union(asked(ada, "tool:read", "refund"), future)) == "the second factor is older than 60 minutes"
	weak := {"user": {"mfa": {"methods": ["totp"]}}}
	reason(object.union(asked(ada, "tool:read", "ledger"), weak)) == "one of webauthn is needed"
}

test_a_day_has_a_budget if {
	reason(object.union(asked(lin, "tool:invoke", "invoices"), {"context": {"spent": 498}})) == "498 of 500 cents are spent, and this costs 3"
	reason(object.union(asked(lin, "tool:invoke", "invoices"), {"context": {"spent": "little"}})) == "it is not known what was spent today"
	allowed(object.union(asked(lin, "tool:invoke", "invoices"), {"context": {"spent": 497}}))
	reason(object.union(asked(lin, "tool:invoke", "index"), {"context": {"spent": 470}})) == "less than a tenth of the budget is left: only calls below 10 cents"
}

test_secrets_are_refused_or_left_out if {
	card := {"parameters": {"card": "4000 1234 5678 9010"}}
	reason(object.union(asked(lin, "tool:invoke", "invoices"), card)) == "parameter card looks like a card number"
	person := {"parameters": {"to": "ada@example.com", "n": 1}}
	main.decision.filtered_parameters == {"n": 1} with input as object.union(asked(lin, "tool:invoke", "invoices"), person)
}

bot := {"id": "bot", "target": "planner", "trust": "limited", "environment": "production", "capabilities": ["query", "execute"]}

talks(agent, action) := {"agent": agent, "action": action, "resource": {"name": "index"}, "context": context}

test_agents_talk_by_trust_capability_and_environment if {
	allowed(talks(bot, "a2a:query"))
	reason(talks(bot, "a2a:delegate")) == "nothing grants it"
	reason(talks(object.union(bot, {"target": "runner"}), "a2a:execute")) == "nothing grants it"
	allowed(talks(object.union(bot, {"target": "runner", "trust": "trusted"}), "a2a:execute"))
	reason(talks(object.union(bot, {"target": "sandbox"}), "a2a:query")) == "the agents are in different environments"
	allowed(talks(object.union(bot, {"target": "sandbox", "trust": "trusted"}), "a2a:query"))
	reason(talks(object.remove(bot, ["environment"]), "a2a:query")) == "the agents are in different environments"
	reason(talks(object.union(bot, {"target": "nobody"}), "a2a:query")) == "agent nobody is not known"
	reason(talks(bot, "tool:read")) == "agents talk to agents only"
}

# What is missing is never in favour of who asks.
test_whatever_is_left_out_is_denied if {
	whole := asked(ada, "tool:invoke", "refund")
	allowed(whole)
	every path in ["user", "user/id", "user/roles", "user/mfa", "user/mfa/at", "user/mfa/methods", "action", "resource", "resource/name", "context", "context/time", "context/address", "context/spent"] {
		not allowed(json.remove(whole, [path]))
	}
	agent := talks(bot, "a2a:query")
	allowed(agent)
	every path in ["agent", "agent/id", "agent/target", "agent/trust", "agent/environment", "agent/capabilities", "action", "resource/name", "context/time", "context/address", "context/spent"] {
		not allowed(json.remove(agent, [path]))
	}
}

test_a_debt_is_no_budget if {
	reason(object.union(asked(lin, "tool:invoke", "invoices"), {"context": {"spent": -1000}})) == "it is not known what was spent today"
}
