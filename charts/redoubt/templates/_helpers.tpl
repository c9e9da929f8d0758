{{- define "redoubt.name" -}}
{{- if contains "redoubt" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-redoubt" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "redoubt.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "redoubt.name" .) }}
{{- end }}

{{- define "redoubt.selector" -}}
app.kubernetes.io/name: redoubt-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "redoubt.labels" -}}
{{ include "redoubt.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "redoubt.image" -}}
{{ .Values.imagePrefix }}{{ .Values.image.name }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "redoubt.computeImage" -}}
{{ .Values.imagePrefix }}{{ .Values.computeImage.name }}:{{ .Values.computeImage.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "redoubt.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.runAsUser }}
runAsUser: {{ . | int64 }}
runAsGroup: {{ . | int64 }}
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end }}
