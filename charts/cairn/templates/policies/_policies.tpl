{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{/* Binds a policy of the same name; call with (dict "root" $ "name" "…"). */}}
{{- define "cairn.policyBinding" -}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels: {{- include "cairn.labels" (dict "root" .root "component" "policies") | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: {{ toJson .root.Values.policies.actions }}
{{- end }}

{{- define "cairn.policyMeta" -}}
name: {{ .name }}
labels: {{- include "cairn.labels" (dict "root" .root "component" "policies") | nindent 2 }}
{{- end }}

{{- define "cairn.isOperator" -}}
request.userInfo.username == '{{ include "cairn.operatorUser" . }}'
{{- end }}

{{/* Whoever may do everything with a Seller: system:masters and cluster-admin hold every verb, and the chart gives this one to nobody. */}}
{{- define "cairn.isAdmin" -}}
authorizer.group('cairn.dev').resource('sellers').check('administer').allowed()
{{- end }}

{{/* Kubernetes' own controllers, which copy labels from a template to what they make from it, and the ones that the values trust. */}}
{{- define "cairn.copiesLabels" -}}
'system:serviceaccounts:kube-system' in request.userInfo.groups || request.userInfo.username in {{ concat (list "system:kube-controller-manager") .Values.policies.virtualization .Values.policies.trustedUsers | toJson | replace "\"" "'" }}
{{- end }}

{{/*
Deleting needs the object's own name in an annotation; call with (dict "what" "…" "loses" "…"). With "inGoingNamespace",
what goes with its namespace needs none: the namespace's deletion was confirmed.
*/}}
{{- define "cairn.confirmed" -}}
validations:
- expression: >-
    {{- if .inGoingNamespace }}
    has(namespaceObject.metadata.deletionTimestamp) ||
    {{- end }}
    has(oldObject.metadata.annotations) && 'cairn.dev/confirm-delete' in oldObject.metadata.annotations
    && oldObject.metadata.annotations['cairn.dev/confirm-delete'] == oldObject.metadata.name
  messageExpression: >-
    'this is {{ .what }}; deleting it loses {{ .loses }}. If that is meant, annotate it first: cairn.dev/confirm-delete=' + oldObject.metadata.name
{{- end }}
