{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{/* One object of Cairn's; call with (dict "root" $ "kind" "SellerRDS" "name" "shop-db" "spec" {…}). */}}
{{- define "seller-cloud.object" -}}
apiVersion: cairn.dev/v1alpha1
kind: {{ .kind }}
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    app.kubernetes.io/instance: {{ .root.Release.Name }}
    app.kubernetes.io/managed-by: {{ .root.Release.Service }}
    helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
spec: {{- toYaml .spec | nindent 2 }}
{{- end }}
