{{/* The first part of the names of objects. */}}
{{- define "canarium.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "canarium.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "canarium.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* Never changes: a Deployment's selector cannot. */}}
{{- define "canarium.selector" -}}
app.kubernetes.io/name: canarium
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/*
Labels and annotations of an object; arguments: `root`, `component` (dashboard, notifier, test; none
for the operator), and `labels` and `annotations` of the object alone. Of several values for a key the
chart's own counts, then that of the object, then the common one.
*/}}
{{- define "canarium.metadata" -}}
{{- $root := .root -}}
labels:
  {{- $own := dict "app.kubernetes.io/version" $root.Chart.AppVersion "app.kubernetes.io/managed-by" $root.Release.Service }}
  {{- $_ := set $own "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_") }}
  {{- with .component }}{{ $_ := set $own "app.kubernetes.io/component" . }}{{ end }}
  {{- $selector := include "canarium.selectorOf" (dict "root" $root "component" .component) | fromYaml }}
  {{- toYaml (merge $own $selector (.labels | default dict) $root.Values.commonLabels) | nindent 2 }}
{{- with merge dict (.annotations | default dict) $root.Values.commonAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Labels of the pods of a component; arguments: `root`, `component`, and `labels` of the values. */}}
{{- define "canarium.podLabels" -}}
{{- $selector := include "canarium.selectorOf" . | fromYaml -}}
{{- toYaml (merge $selector (.labels | default dict) .root.Values.commonLabels) -}}
{{- end -}}

{{/* Not those of the operator for another component: its Service, budget and policy must not select it. */}}
{{- define "canarium.selectorOf" -}}
app.kubernetes.io/name: canarium{{ with .component }}-{{ . }}{{ end }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- end -}}

{{/*
The reference of an image; arguments: `image` (repository, tag, digest) and `root`. Another registry
replaces the first part of the repository if that is the name of a host.
*/}}
{{- define "canarium.imageOf" -}}
{{- $repository := .image.repository -}}
{{- $global := (.root.Values.global | default dict).imageRegistry -}}
{{- with $global | default .root.Values.imageRegistry -}}
{{- $repository = printf "%s/%s" . (regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" $repository "") -}}
{{- end -}}
{{- if .image.digest -}}
{{ printf "%s@%s" $repository .image.digest }}
{{- else -}}
{{ printf "%s:%s" $repository (.image.tag | default .root.Chart.AppVersion) }}
{{- end -}}
{{- end -}}

{{- define "canarium.image" -}}
{{ include "canarium.imageOf" (dict "image" .Values.image "root" .) }}
{{- end -}}

{{- define "canarium.fetchImage" -}}
{{ include "canarium.imageOf" (dict "image" .Values.fetch.image "root" .) }}
{{- end -}}

{{/* Security context of every pod of the chart. */}}
{{- define "canarium.podSecurityContext" -}}
{{- $context := .Values.podSecurityContext -}}
{{- if .Values.openshift -}}
{{- $context = omit $context "runAsUser" "runAsGroup" "fsGroup" -}}
{{- end -}}
{{- with $context }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* By the UID of its pod, a restarted container recognizes the Lease of the one before it. */}}
{{- define "canarium.podUid" -}}
- name: POD_UID
  valueFrom:
    fieldRef: {fieldPath: metadata.uid}
{{- end -}}

{{/* Times of leader election that differ from the defaults of `canarium run` and `canarium notify`. */}}
{{- define "canarium.leaseArguments" -}}
{{- with .Values.leaderElection -}}
{{- if not (and (lt (float64 .retryPeriod) (float64 .renewDeadline)) (lt (float64 .renewDeadline) (float64 .leaseDuration))) -}}
{{- fail "leaderElection: retryPeriod must be below renewDeadline, and that below leaseDuration" -}}
{{- end -}}
{{- if ne (float64 .leaseDuration) 15.0 }}
- --lease-duration={{ .leaseDuration }}
{{- end }}
{{- if ne (float64 .renewDeadline) 10.0 }}
- --lease-renew={{ .renewDeadline }}
{{- end }}
{{- if ne (float64 .retryPeriod) 2.0 }}
- --lease-retry={{ .retryPeriod }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* Not those of the operator: its Service, budget and policy must not select the dashboard. */}}
{{- define "canarium.dashboardSelector" -}}
app.kubernetes.io/name: canarium-dashboard
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "canarium.dashboardName" -}}
{{ include "canarium.fullname" . }}-dashboard
{{- end -}}

{{- define "canarium.dashboardImage" -}}
{{ include "canarium.imageOf" (dict "image" .Values.dashboard.image "root" .) }}
{{- end -}}

{{/* What the operator does with children in each namespace that it manages. */}}
{{- define "canarium.rules" -}}
- apiGroups: [canarium.dev]
  resources: [modeldeployments]
  verbs: [get, list, watch]
- apiGroups: [canarium.dev]
  resources: [modelruntimes, modelgates, checktemplates]
  verbs: [list, watch]
- apiGroups: [canarium.dev]
  resources: [modeldeployments/status]
  verbs: [update]
# Children carry an ownerReference that blocks the owner's deletion.
- apiGroups: [canarium.dev]
  resources: [modeldeployments/finalizers]
  verbs: [update]
# They record for later pods of a version which bytes the first one fetched. Watched by our label, so
# that one that is edited or deleted is restored.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [list, watch, create, patch]
- apiGroups: [apps]
  resources: [deployments, controllerrevisions]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments/scale]
  verbs: [patch]
# Deleted: the Services of single revisions, which only a route or the Job of a gate needs.
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
# Routes through a Gateway, where a model asks for one. Read by name: one that has the name already.
# All are listed, so that one that claims the same requests as a model is reported.
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes, grpcroutes]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.istio.io]
  resources: [virtualservices]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
# All are listed: the API server evicts no pod that two of them select, so a model that has one of its
# owner's gets no other.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# Jobs of gates. Read by name: one that has the name already.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""]
  resources: [pods]
  # Created only as a dry run: whether a spec's pods would be taken is asked first.
  verbs: [list, watch, create]
# Bodies of smoke tests, recorded requests, and logins of queries; read when asked for, by name.
- apiGroups: [""]
  resources: [configmaps{{ if .Values.rbac.secrets }}, secrets{{ end }}]
  verbs: [get]
{{- with .Values.externalMetrics }}
# Values for checks, served by adapters: read in the namespace of the model.
- apiGroups: [external.metrics.k8s.io]
  resources: {{ toJson . }}
  verbs: [list]
{{- end }}
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [events]
  # Listed for a pod that has a node and no container: only its Events have the reason.
  verbs: [create, list]
{{- end -}}

{{- define "canarium.namespace" -}}
{{ .Values.namespaceOverride | default .Release.Namespace }}
{{- end -}}

{{- /* How monitors read the metrics: over HTTPS with a certificate, else over HTTP. */}}
{{- define "canarium.metricsScheme" -}}
{{- with .Values.metrics.tls.existingSecret -}}
scheme: https
tlsConfig:
  {{- with $.Values.metrics.tls.tlsConfig }}
  {{- toYaml . | nindent 2 }}
  {{- else }}
  ca: {secret: {name: {{ . }}, key: ca.crt}}
  serverName: {{ include "canarium.fullname" $ }}-metrics.{{ include "canarium.namespace" $ }}.svc
  {{- end }}
{{- else -}}
scheme: http
{{- end }}
{{- end }}
