{{- define "canarium.testName" -}}
{{ include "canarium.fullname" . }}-test
{{- end -}}

{{/* Not the name of the operator: its Service, budget and policy must not select the pod. */}}
{{- define "canarium.testLabels" -}}
app.kubernetes.io/name: canarium-test
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/component: test
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Annotations of what `helm test` creates, in the order of weights; the argument is the weight. */}}
{{- define "canarium.testHook" -}}
helm.sh/hook: test
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
