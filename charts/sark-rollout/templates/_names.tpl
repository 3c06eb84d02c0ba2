{{- define "sark-rollout.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 53 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "sark-rollout.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "sark-rollout.labels" -}}
{{ include "sark-rollout.selector" . }}
{{ include "sark-rollout.of-every-object" . }}
{{- end }}

{{/* Another component than the operator's, so that no Service, policy or budget of the operator means the job. */}}
{{- define "sark-rollout.restore-selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: restore
{{- end }}

{{- define "sark-rollout.restore-labels" -}}
{{ include "sark-rollout.restore-selector" . }}
{{ include "sark-rollout.of-every-object" . }}
{{- end }}

{{- define "sark-rollout.of-every-object" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "sark-rollout.account" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "sark-rollout.name" .) }}{{ else }}{{ required "serviceAccount.create is false: name the account to use in serviceAccount.name" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- define "sark-rollout.image" -}}
{{- $repository := required "image.repository is empty: `make images`, push sark-operator to your registry, and name it there, as in registry.example/sark-operator" .Values.image.repository -}}
{{- if .Values.image.digest }}{{ $repository }}@{{ .Values.image.digest }}{{ else }}{{ $repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* The namespaces that are served, as JSON: {"items": [...]}. */}}
{{- define "sark-rollout.namespaces" -}}
{{- dict "items" (ternary (list .Release.Namespace) (.Values.namespaces | uniq) (empty .Values.namespaces)) | toJson }}
{{- end }}

{{/* Refuses two servers on one port. `port` is that of the probes, `name` what it is called, `values` has the others. */}}
{{- define "sark-rollout.distinct-ports" -}}
{{- $wanted := list }}
{{- with .values.alertReceiver }}{{ if .tokenSecret }}{{ $wanted = append $wanted (list "alertReceiver.port" .port) }}{{ end }}{{ end }}
{{- with .values.page }}{{ if .enabled }}{{ $wanted = append $wanted (list "page.port" .port) }}{{ end }}{{ end }}
{{- $taken := dict (.port | int | toString) .name }}
{{- range $wanted }}
{{- $port := index . 1 | int | toString }}
{{- if hasKey $taken $port }}
{{- fail (printf "%s: %s is taken by %s: choose another" (index . 0) $port (get $taken $port)) }}
{{- end }}
{{- $_ := set $taken $port (index . 0) }}
{{- end }}
{{- end }}

{{- define "sark-rollout.container-security" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
readOnlyRootFilesystem: true
{{- end }}

{{- define "sark-rollout.pod-security" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/*
Ends an installation whose Lease is held, as renewed lately, by an operator that serves other namespaces: only one of the two would
ever work. Who may grant the Lease's Role may read the Lease. An upgrade may change the namespaces and is not looked at.
*/}}
{{- define "sark-rollout.lease-check" -}}
{{- if .Release.IsInstall }}
{{- $lease := lookup "coordination.k8s.io/v1" "Lease" .Release.Namespace .Values.lease.name }}
{{- $holder := dig "spec" "holderIdentity" "" $lease }}
{{- $said := dig "metadata" "annotations" "sark.dev/serves" "{}" $lease | fromJson }}
{{- if and $holder (eq $holder (toString $said.holder)) }}
{{- $age := sub (now | unixEpoch) (dig "spec" "renewTime" "" $lease | toDate "2006-01-02T15:04:05Z07:00" | unixEpoch) }}
{{- $ours := ternary (list) (include "sark-rollout.namespaces" . | fromJson).items .Values.clusterWide | sortAlpha }}
{{- if and (lt $age 300) (gt $age -300) (ne (toJson $said.namespaces) (toJson $ours)) }}
{{- fail (printf "lease.name: the Lease %s/%s is held by %s, which serves %s: give this release another name there, or a namespace of its own" .Release.Namespace .Values.lease.name $holder (join ", " $said.namespaces | default "every namespace")) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
