// SPDX-License-Identifier: Apache-2.0

// Package metrics exports the state of the agent to Prometheus. No metric has a pod or a
// peer as a label: the number of series depends on the number of checks only.
package metrics

import (
	"runtime"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cni-guard/cni-guard/pkg/agent"
)

// A Collector makes metrics of the agent's status at the moment of a scrape, so that they
// cannot differ from what guardctl status shows.
type Collector struct {
	version string
	status  func() agent.Status
	kube    func() Kubernetes
}

// Kubernetes is what the program did at the API server.
type Kubernetes struct {
	Enabled bool
	// Condition is the status of the node condition as last written: "True", "False" or "".
	Condition string
	// Writes counts requests by kind ("condition", "event") and result ("ok", "error",
	// "dropped").
	Writes map[string]map[string]uint64
}

var _ prometheus.Collector = (*Collector)(nil)

// New returns a Collector. kube may be nil.
func New(version string, status func() agent.Status, kube func() Kubernetes) *Collector {
	return &Collector{version: version, status: status, kube: kube}
}

// Registry returns a registry with nothing but the collector.
func Registry(c *Collector) *prometheus.Registry {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	return r
}

// A Metric describes a metric for the documentation.
type Metric struct {
	Name, Type, Help string
	Labels           []string
}

// Metrics returns all metrics in the order of the documentation.
func Metrics() []Metric {
	return []Metric{
		{"cni_guard_build_info", "gauge", "Version of the agent; always 1.", []string{"version", "goversion"}},
		{"cni_guard_agent_info", "gauge", "Profile of the agent and its setting keep for the conf dir; always 1.", []string{"profile", "keep"}},
		{"cni_guard_start_time_seconds", "gauge", "Unix time at which the agent started.", nil},
		{"cni_guard_check_state", "gauge", "1 for the current state of a check (passed, minor, failed, unknown or skipped), 0 for the others.", []string{"check", "id", "state"}},
		{"cni_guard_findings", "gauge", "Current findings of a check, including minor ones.", []string{"check", "id"}},
		{"cni_guard_incidents_total", "counter", "Findings that appeared, including those that were repaired at once.", []string{"check", "id"}},
		{"cni_guard_repairs_total", "counter", "Repairs that the agent attempted; result is repaired or failed.", []string{"check", "id", "result"}},
		{"cni_guard_loopback_up", "gauge", "1 if the node's lo is up, 0 if it is down; absent if that is unknown.", nil},
		{"cni_guard_looks_total", "counter", "Runs of the checks; kind is full for all checks, or quick for those that an event concerns.", []string{"kind"}},
		{"cni_guard_look_seconds_total", "counter", "Time spent running the checks.", []string{"kind"}},
		{"cni_guard_last_look_timestamp_seconds", "gauge", "Unix time of the last full look that succeeded.", nil},
		{"cni_guard_last_look_duration_seconds", "gauge", "Duration of the last full look.", nil},
		{"cni_guard_watch_events", "gauge", "1 if the kernel reports changes of a source (netlink, nftables, files), 0 if the agent polls for them or finds them in the next full look.", []string{"source"}},
		{"cni_guard_changes_total", "counter", "Changes of a source that made the agent run checks.", []string{"source"}},
		{"cni_guard_events_dropped_total", "counter", "Times that the agent lost changes of a source; a full look follows each time.", []string{"source"}},
		{"cni_guard_conf_actions_total", "counter", "Actions that keep the conf dir as installed; action is reinsert, quarantine or restore, result is done, failed, throttled, or reported if keep is report.", []string{"action", "result"}},
		{"cni_guard_tunnel_peers", "gauge", "Peers of the node's tunnels, by the result of the last probe.", []string{"state"}},
		{"cni_guard_node_condition", "gauge", "1 for the status of the condition cni-guard.io/NetworkProblem as last written (True or False), 0 for the other.", []string{"status"}},
		{"cni_guard_kubernetes_requests_total", "counter", "Requests to the API server; kind is condition or event, result is ok, error or dropped.", []string{"kind", "result"}},
	}
}

// descs returns the descriptions by name, without the prefix cni_guard_.
func descs() map[string]*prometheus.Desc {
	all := make(map[string]*prometheus.Desc)
	for _, m := range Metrics() {
		all[strings.TrimPrefix(m.Name, "cni_guard_")] = prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)
	}
	return all
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range descs() {
		ch <- d
	}
}

// A scrape sends the metrics of one collection.
type scrape struct {
	ch    chan<- prometheus.Metric
	descs map[string]*prometheus.Desc
}

func (s scrape) gauge(name string, value float64, labels ...string) {
	s.ch <- prometheus.MustNewConstMetric(s.descs[name], prometheus.GaugeValue, value, labels...)
}

func (s scrape) counter(name string, value float64, labels ...string) {
	s.ch <- prometheus.MustNewConstMetric(s.descs[name], prometheus.CounterValue, value, labels...)
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	s, st := scrape{ch, descs()}, c.status()
	s.gauge("build_info", 1, c.version, runtime.Version())
	s.gauge("agent_info", 1, string(st.Profile), string(st.Keep))
	s.gauge("start_time_seconds", seconds(st.Started.UnixMilli()))
	switch st.Loopback {
	case "up":
		s.gauge("loopback_up", 1)
	case "down":
		s.gauge("loopback_up", 0)
	}
	s.looks(st.Looks)
	for _, check := range st.Checks {
		s.check(check)
	}
	for _, w := range st.Watches {
		s.gauge("watch_events", number(w.Events), w.Source)
		s.counter("changes_total", float64(w.Changes), w.Source)
		s.counter("events_dropped_total", float64(w.Dropped), w.Source)
	}
	for action, results := range st.Counters.ConfActions {
		for result, n := range results {
			s.counter("conf_actions_total", float64(n), action, result)
		}
	}
	for state, n := range st.TunnelPeers {
		s.gauge("tunnel_peers", float64(n), state)
	}
	if c.kube != nil {
		s.kubernetes(c.kube())
	}
}

func (s scrape) looks(l agent.Looks) {
	s.counter("looks_total", float64(l.Full), "full")
	s.counter("looks_total", float64(l.Quick), "quick")
	s.counter("look_seconds_total", l.FullSeconds, "full")
	s.counter("look_seconds_total", l.QuickSeconds, "quick")
	if !l.LastFull.IsZero() {
		s.gauge("last_look_timestamp_seconds", seconds(l.LastFull.UnixMilli()))
		s.gauge("last_look_duration_seconds", l.LastDuration.Seconds())
	}
}

func (s scrape) check(c agent.CheckStatus) {
	for _, state := range agent.CheckStates() {
		s.gauge("check_state", number(c.State == state), c.Check, c.ID, state)
	}
	s.gauge("findings", float64(len(c.Findings)), c.Check, c.ID)
	s.counter("incidents_total", float64(c.Incidents), c.Check, c.ID)
	s.counter("repairs_total", float64(c.Repaired), c.Check, c.ID, "repaired")
	s.counter("repairs_total", float64(c.RepairsFailed), c.Check, c.ID, "failed")
}

func (s scrape) kubernetes(k Kubernetes) {
	if !k.Enabled {
		return
	}
	for _, status := range []string{"True", "False"} {
		s.gauge("node_condition", number(k.Condition == status), status)
	}
	for kind, results := range k.Writes {
		for result, n := range results {
			s.counter("kubernetes_requests_total", float64(n), kind, result)
		}
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(milliseconds int64) float64 { return float64(milliseconds) / 1000 }
