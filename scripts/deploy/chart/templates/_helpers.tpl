{{- define "jobs.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* What all objects are called. The control plane's scheduler owns one name, and its alerts look for that. */}}
{{- define "jobs.fullname" -}}
{{- $name := include "jobs.name" . }}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- $full = .Values.fullnameOverride | default $full | trunc 63 | trimSuffix "-" }}
{{- if eq $full "kube-scheduler" }}
{{- fail "kube-scheduler is what the control plane's own scheduler is called: choose another fullnameOverride, nameOverride or release name" }}
{{- end }}
{{- $full }}
{{- end }}

{{/* --instance, so that the Lease, <instance>-jobs, is called like the rest, and each release has one of its own. */}}
{{- define "jobs.instance" -}}
{{- include "jobs.fullname" . | trimSuffix "-jobs" }}
{{- end }}

{{- define "jobs.selectorLabels" -}}
app.kubernetes.io/name: {{ include "jobs.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "jobs.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "jobs.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "jobs.metadata" -}}
name: {{ include "jobs.fullname" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "jobs.labels" . | nindent 2 }}
{{- end }}

{{- define "jobs.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "jobs.fullname" .) "default") }}
{{- end }}

{{- define "jobs.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "jobs.tokenSecret" -}}
{{- .Values.tokenSecret | default (printf "%s-token" (include "jobs.fullname" .)) }}
{{- end }}

{{- define "jobs.scheduleConfigMap" -}}
{{- .Values.existingConfigMap | default (printf "%s-schedule" (include "jobs.fullname" .)) }}
{{- end }}

{{/* The hooks' ConfigMap; nothing when there are none. */}}
{{- define "jobs.hooksConfigMap" -}}
{{- .Values.existingHooksConfigMap | default (empty .Values.hooks | ternary "" (printf "%s-hooks" (include "jobs.fullname" .))) }}
{{- end }}

{{/* A file's text, given as text or as what it says. */}}
{{- define "jobs.text" -}}
{{- kindIs "string" . | ternary . (toYaml .) | trimSuffix "\n" }}
{{- end }}
