{{/* Not those of the operator: its Service, budget and policy must not select the notifier. */}}
{{- define "canarium.notifierSelector" -}}
app.kubernetes.io/name: canarium-notifier
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "canarium.notifierName" -}}
{{ include "canarium.fullname" . }}-notifier
{{- end -}}

{{- define "canarium.notifierImage" -}}
{{ include "canarium.imageOf" (dict "image" .Values.notifications.image "root" .) }}
{{- end -}}

{{- define "canarium.notifierSettings" -}}
{{- if not .Values.notifications.sinks -}}
{{- fail "notifications.sinks: name at least one sink, or set notifications.enabled to false" -}}
{{- end -}}
{{- toYaml (dict "cluster" .Values.notifications.cluster "sinks" .Values.notifications.sinks) -}}
{{- end -}}

{{/* Names of the Secrets of all sinks, as a JSON array. */}}
{{- define "canarium.notifierSecrets" -}}
{{- $names := list -}}
{{- range .Values.notifications.sinks -}}
{{- $kind := .cloudEvents | default .apprise | default .traces -}}
{{- range compact (list $kind.urlSecret $kind.tokenSecret) -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- end -}}
{{- $names | uniq | sortAlpha | toJson -}}
{{- end -}}
