{{- define "cni-guard.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "cni-guard.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "cni-guard.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "cni-guard.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "cni-guard.selector" -}}
app.kubernetes.io/name: {{ include "cni-guard.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "cni-guard.labels" -}}
{{ include "cni-guard.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "cni-guard.serviceAccount" -}}
{{- default (include "cni-guard.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "cni-guard.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/* The flags with which guardctl and the agent find the node. */}}
{{- define "cni-guard.site" -}}
- --root=/host
- --record-dir={{ .Values.node.recordDir }}
{{- with .Values.node.runtime }}
- --runtime={{ . }}
{{- end }}
{{- with .Values.node.confDir }}
- --conf-dir={{ . }}
{{- end }}
{{- with .Values.node.binDir }}
- --bin-dir={{ . }}
{{- end }}
{{- with .Values.node.cacheDir }}
- --cache-dir={{ . }}
{{- end }}
{{- end -}}

{{/* What the container that changes the node may do. */}}
{{- define "cni-guard.installerSecurity" -}}
securityContext:
  runAsUser: 0
  runAsNonRoot: false
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  {{- with .Values.installer.appArmorProfile }}
  appArmorProfile: {type: {{ . }}}
  {{- end }}
  capabilities:
    drop: [ALL]
    # SYS_CHROOT: its root becomes the node's. SYS_PTRACE: it sees which process listens
    # at the runtime's socket. The others: it keeps owner and mode of the file that it edits.
    add: [SYS_CHROOT, SYS_PTRACE, CHOWN, FOWNER, DAC_OVERRIDE]
{{- end -}}
