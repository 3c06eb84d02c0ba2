# What of a document a caller may see, and what is stored of a request.
package redaction

visible := json.filter(input.document, data.fields[input.role])

hidden := json.remove(input.document, data.secrets)

patched := json.patch(input.document, [change |
	some secret in data.secrets
	change := {"op": "replace", "path": secret, "value": "***"}
	object.get(input.document, split(secret, "/"), null) != null
])

strings_inside := [value | walk(input.document, [_, value]); is_string(value)]

numbers_inside := sum([value | walk(input.document, [_, value]); is_number(value)])

secrets_inside contains path if {
	walk(input.document, [path, value])
	is_string(value)
	regex.match(`(?i)(secret|token|^sk-[a-z0-9]+$)`, value)
}

masked[key] := mask(value) if some key, value in input.document

mask(value) := sprintf("%s…", [substring(value, 0, 2)]) if {
	is_string(value)
	count(value) > 4
} else := value if {
	is_number(value)
} else := value if {
	is_boolean(value)
} else := type_name(value)

digest := base64.encode(json.marshal(input.document))

again := json.unmarshal(base64.decode(digest))

faithful if again == input.document

kept := object.filter(input.document, {"id", "name", "tags"})

merged := object.union_n([input.document, {"seen": true}, object.get(data.defaults, input.role, {})])

keys := concat(",", sort([key | some key, _ in input.document]))

title := upper(substring(input.document.name, 0, 1))

words := [trim_space(word) | some word in split(input.document.text, ",")]

replaced := strings.replace_n({"<": "&lt;", ">": "&gt;"}, input.document.text)

position := indexof(input.document.text, "é")

positions := indexof_n(input.document.text, "a")

hexed := hex.encode(input.document.name)

encoded := urlquery.encode(input.document.text)

subset := object.subset(input.document, {"tags": ["a"]})

counted := {tag: n | some tag in input.document.tags; n := count([1 | some other in input.document.tags; other == tag])}
