{{- define "canarium.testName" -}}
{{ include "canarium.fullname" . }}-test
{{- end -}}

{{/* Annotations of what `helm test` creates, in the order of weights; the argument is the weight. */}}
{{- define "canarium.testHook" -}}
helm.sh/hook: test
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
