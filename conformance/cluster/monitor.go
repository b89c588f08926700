// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// An Alert is one that fires.
type Alert struct {
	Labels, Annotations map[string]string
	State               string
}

const prometheusAddress = "127.0.0.1:9090"

// StartPrometheus starts a Prometheus that scrapes the agents every second and evaluates
// the alert rules. What an alert waits is two seconds instead of minutes.
func (c *Cluster) StartPrometheus() {
	c.t.Helper()
	rules, err := os.ReadFile("../../deploy/alerts/cni-guard.yaml")
	if err != nil {
		c.t.Fatal(err)
	}
	dir := filepath.Join(c.dir, "prometheus")
	c.write(filepath.Join(dir, "rules.yaml"), regexp.MustCompile(`(?m)^    for: .*$`).ReplaceAllString(string(rules), "    for: 2s"))
	var targets []string
	for _, n := range c.node {
		targets = append(targets, `{targets: ["`+n.Address+`:9798"], labels: {node: `+n.Name+`}}`)
	}
	c.write(filepath.Join(dir, "prometheus.yaml"), `{global: {scrape_interval: 1s, evaluation_interval: 1s}, rule_files: [rules.yaml],
		scrape_configs: [{job_name: kube-system/cni-guard, static_configs: [`+strings.Join(targets, ", ")+`]}]}`)
	c.start("prometheus", exec.Command(c.program("prometheus", "prometheus"), "--config.file="+filepath.Join(dir, "prometheus.yaml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+prometheusAddress))
}

// Alerts returns the alerts that fire for a node.
func (c *Cluster) Alerts(n *Node) []Alert {
	resp, err := http.Get("http://" + prometheusAddress + "/api/v1/alerts")
	if err != nil {
		return nil // it is starting
	}
	defer resp.Body.Close()
	var answer struct{ Data struct{ Alerts []Alert } }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil
	}
	var firing []Alert
	for _, a := range answer.Data.Alerts {
		if a.State == "firing" && a.Labels["node"] == n.Name {
			firing = append(firing, a)
		}
	}
	return firing
}

// AwaitAlert waits until an alert fires for a node, and returns it.
func (c *Cluster) AwaitAlert(n *Node, name string) (alert Alert) {
	c.t.Helper()
	c.await(name+" to fire for "+n.Name, func() error {
		var others []string
		for _, a := range c.Alerts(n) {
			if a.Labels["alertname"] == name {
				alert = a
				return nil
			}
			others = append(others, a.Labels["alertname"])
		}
		return notYet("those that fire are %q", others)
	})
	return alert
}
