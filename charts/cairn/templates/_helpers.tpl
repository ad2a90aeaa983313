{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{/* Labels of an object; call with (dict "root" $ "component" "operator"). */}}
{{- define "cairn.labels" -}}
{{ include "cairn.selector" . }}
app.kubernetes.io/part-of: cairn
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "cairn.selector" -}}
app.kubernetes.io/name: cairn
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "cairn.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* Who the operator is, as admission sees it. */}}
{{- define "cairn.operatorUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:cairn-operator
{{- end }}

{{- define "cairn.busUrl" -}}
{{- if .Values.nats.enabled -}}
nats://cairn-nats.{{ .Release.Namespace }}.svc:4222
{{- else -}}
{{ required "bus.url: name the JetStream servers (nats://…), or set nats.enabled for a single node without redundancy" .Values.bus.url }}
{{- end -}}
{{- end }}

{{/* NetworkPolicy peers of the bus, as a JSON list of {namespaceLabels}. */}}
{{- define "cairn.busPeers" -}}
{{- if .Values.nats.enabled -}}
{{ list (dict "namespaceLabels" (dict "kubernetes.io/metadata.name" .Release.Namespace)) | toJson }}
{{- else -}}
{{- if not .Values.bus.peers }}
{{- fail "bus.peers: say in which namespace the bus runs ([{namespaceLabels: {kubernetes.io/metadata.name: nats}}]), else no worker may connect to it" }}
{{- end }}
{{- .Values.bus.peers | toJson }}
{{- end -}}
{{- end }}

{{/* One RBAC rule with its reason; call with (dict "rule" $rule "busAccount" "name"). */}}
{{- define "cairn.rule" -}}
# {{ .rule.why }}
- apiGroups: [{{ .rule.group | quote }}]
  resources: {{ .rule.resources | toJson }}
  {{- with .rule.names }}
  resourceNames: {{ toJson . | replace "$busAccount" $.busAccount }}
  {{- end }}
  verbs: {{ .rule.verbs | toJson }}
{{- end }}

{{- define "cairn.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "cairn.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Where a pod may be put; call with the component's values. */}}
{{- define "cairn.placement" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- end }}
