# Run with: opa test examples/policies examples/policies_test
package mcp.gateway_test

import data.mcp.gateway

developer := {"id": "user-00001", "tenant": "acme", "roles": ["developer"]}

invoke(user, tool, parameters) := {"user": user, "action": "invoke", "tool": {"name": tool, "tenant": "acme"}, "parameters": parameters}

test_a_role_within_its_sensitivity_is_granted_and_secrets_are_left_out if {
	gateway.decision == {"allow": true, "reason": "granted to developer", "filtered_parameters": {"query": "x"}} with input as invoke(developer, "create_ticket", {"query": "x", "token": "t"})
}

test_the_reason_names_all_granting_roles_in_order if {
	user := object.union(developer, {"roles": ["team_lead", "developer"]})
	gateway.decision.reason == "granted to developer, team_lead" with input as invoke(user, "read_ticket", {})
}

test_a_tool_above_the_role_is_denied if {
	gateway.decision == {"allow": false, "reason": "no role of the user may invoke a tool of high sensitivity", "filtered_parameters": {}} with input as invoke(developer, "deploy_service", {})
}

test_a_tenant_can_lower_the_limit if {
	lead := {"id": "user-00002", "tenant": "umbrella", "roles": ["team_lead"]}
	question := {"user": lead, "action": "invoke", "tool": {"name": "deploy_service", "tenant": "umbrella"}}
	not gateway.decision.allow with input as question
}

test_another_tenants_tool_is_denied_but_to_an_administrator if {
	question := {"user": developer, "action": "invoke", "tool": {"name": "read_ticket", "tenant": "hooli"}}
	gateway.decision.reason == "tool belongs to tenant hooli" with input as question
	admin := object.union(developer, {"roles": ["platform_admin"]})
	gateway.decision.allow with input as object.union(question, {"user": admin})
}

test_a_suspended_user_and_a_blocked_tool_are_denied if {
	gateway.decision.reason == "user is suspended" with input as invoke(object.union(developer, {"id": "user-00013"}), "read_ticket", {})
	question := {"user": {"id": "u", "tenant": "globex", "roles": ["team_lead"]}, "action": "invoke", "tool": {"name": "send_mail", "tenant": "globex"}}
	gateway.decision.reason == "tenant globex may not use tool send_mail" with input as question
}

test_an_unknown_parameter_is_named_always_the_same if {
	gateway.decision.reason == "parameter a is not accepted" with input as invoke(developer, "read_ticket", {"z": 1, "a": 2})
}

test_long_texts_are_cut if {
	long := concat("", [c | some _ in numbers.range(1, 1200); c := "é"])
	count(gateway.decision.filtered_parameters.query) == 1000 with input as invoke(developer, "read_ticket", {"query": long})
}

test_every_broken_question_is_answered_with_no[name] if {
	some name, question in {
		"empty": {},
		"text": "x",
		"null": null,
		"user without id": {"user": {"tenant": "acme"}},
		"id is a number": {"user": {"id": 7, "tenant": "acme", "roles": ["platform_admin"]}},
		"tool unknown": invoke(developer, "format_disk", {}),
		"tool is a list": invoke(developer, ["read_ticket"], {}),
		"tenant unknown": invoke(object.union(developer, {"tenant": "nobody"}), "read_ticket", {}),
		"roles missing": invoke({"id": "u", "tenant": "acme"}, "read_ticket", {}),
		"role unknown": invoke(object.union(developer, {"roles": ["root"]}), "read_ticket", {}),
		"action missing": object.remove(invoke(developer, "read_ticket", {}), ["action"]),
	}
	gateway.decision.allow == false with input as question
}
