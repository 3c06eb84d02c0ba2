# One agent asks another: by trust, by what both can do, and within an environment.
package access.a2a_authorization

agent := input.agent

target := data.access.agents[agent.target]

trust := {"untrusted": 0, "limited": 1, "trusted": 2}

capability := trim_prefix(input.action, "a2a:")

grants contains sprintf("agent %s may %s %s", [agent.id, capability, agent.target]) if {
	startswith(input.action, "a2a:")
	capability in agent.capabilities
	capability in target.offers
	trust[agent.trust] >= trust[target.asks_for]
}

objections contains sprintf("agent %s is not known", [agent.target]) if {
	agent.target
	not target
}

objections contains "agents talk to agents only" if {
	agent.id
	not startswith(input.action, "a2a:")
}

objections contains "the agents are in different environments" if {
	agent.id
	not same_environment
	not crossing_allowed
}

same_environment if agent.environment == target.environment

crossing_allowed if {
	some crossing in data.access.crossings
	crossing.from == agent.environment
	crossing.to == target.environment
	trust[agent.trust] >= trust[crossing.trust]
}
