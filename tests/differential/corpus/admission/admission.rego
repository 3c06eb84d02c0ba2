# What a cluster refuses to run.
package admission

import data.registries

deny contains msg if {
	some i
	container := pod.containers[i]
	not trusted(container.image)
	msg := sprintf("container %d (%v) uses an image of %q", [i, container.name, container.image])
}

deny contains sprintf("%s wants %v", [container.name, capability]) if {
	container := containers[_]
	some capability in container.securityContext.capabilities.add
	not capability in {"NET_BIND_SERVICE", "CHOWN"}
}

deny contains "privileged" if containers[_].securityContext.privileged

deny contains msg if {
	some name, limit in memory
	limit > 2147483648
	msg := sprintf("%s: %.1f GiB", [name, limit / 1073741824])
}

deny contains "labels" if {
	required := {"app", "team"}
	missing := required - {label | input.object.metadata.labels[label]}
	count(missing) > 0
}

warn[name] := problems if {
	some container in containers
	name := container.name
	problems := [problem | some problem, text in checks; not regex.match(text, container.image)]
}

checks := {"tag": `:[^:@/]+$`, "no latest": `^(.*):([^l].*|l[^a].*)$`, "lower": `^[a-z0-9./:_-]*$`}

trusted(image) if {
	some registry in registries
	startswith(image, concat("", [registry, "/"]))
}

trusted(image) if {
	not contains(image, "/")
	not regex.match(`[.:]\d+$`, image)
}

pod := input.object.spec if input.object.kind == "Pod"

pod := input.object.spec.template.spec if input.object.kind in ["Deployment", "StatefulSet"]

containers := array.concat(object.get(pod, "containers", []), object.get(pod, "initContainers", []))

memory[container.name] := units.parse_bytes(container.resources.limits.memory) if some container in containers

cpu[container.name] := units.parse(container.resources.limits.cpu) if some container in containers

default allow := false

allow if count(deny) == 0

replicas_in_range if {
	numbers.range(1, 5)[_] == input.object.spec.replicas
}

patch := [change |
	some i, container in pod.containers
	not container.resources
	change := {"op": "add", "path": sprintf("/spec/containers/%d/resources", [i]), "value": {}}
]
