// SPDX-License-Identifier: Apache-2.0

package cluster

import "time"

// Metadata is that of any object.
type Metadata struct {
	Name, Namespace, UID string
	Generation           int64
	CreationTimestamp    time.Time
	DeletionTimestamp    *time.Time
	Labels               map[string]string
}

// A Condition is that of a node or of a pod.
type Condition struct {
	Type, Status, Reason, Message string
	LastHeartbeatTime             time.Time
	LastTransitionTime            time.Time
}

// A NodeObject is what Kubernetes knows of a node.
type NodeObject struct {
	Metadata Metadata
	Spec     struct {
		PodCIDR string
		Taints  []struct{ Key, Effect string }
	}
	Status struct{ Conditions []Condition }
}

// Condition returns the condition of that type; its Status is "" if there is none.
func (n NodeObject) Condition(kind string) Condition { return find(n.Status.Conditions, kind) }

func find(conditions []Condition, kind string) Condition {
	for _, c := range conditions {
		if c.Type == kind {
			return c
		}
	}
	return Condition{}
}

// A Pod is what Kubernetes knows of a pod.
type Pod struct {
	Metadata Metadata
	Spec     struct {
		NodeName   string
		Containers []struct{ Name, Image string }
	}
	Status struct {
		Phase, Reason, Message, PodIP string
		Conditions                    []Condition
		InitContainerStatuses         []ContainerStatus
		ContainerStatuses             []ContainerStatus
	}
}

// A ContainerStatus says how a container of a pod is.
type ContainerStatus struct {
	Name         string
	RestartCount int
	Ready        bool
	State        struct {
		Waiting    *struct{ Reason, Message string }
		Terminated *struct {
			Reason, Message string
			ExitCode        int
		}
	}
}

// Ready says whether the pod is Ready.
func (p Pod) Ready() bool { return find(p.Status.Conditions, "Ready").Status == "True" }

// Restarts returns how often its containers were restarted.
func (p Pod) Restarts() int {
	n := 0
	for _, s := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
		n += s.RestartCount
	}
	return n
}

// An Event is a Kubernetes event.
type Event struct {
	Metadata                      Metadata
	InvolvedObject                struct{ Kind, Namespace, Name string }
	Type, Reason, Message         string
	Count                         int
	FirstTimestamp, LastTimestamp time.Time
	ReportingComponent            string
	Source                        struct{ Component, Host string }
}

// A DaemonSet is what Kubernetes knows of a DaemonSet.
type DaemonSet struct {
	Metadata Metadata
	Status   struct {
		ObservedGeneration                                                           int64
		DesiredNumberScheduled, UpdatedNumberScheduled, NumberAvailable, NumberReady int
	}
}

// RolledOut says whether the pods of all nodes are of the last generation and available.
func (d DaemonSet) RolledOut() bool {
	s := d.Status
	return s.ObservedGeneration >= d.Metadata.Generation && s.DesiredNumberScheduled == Nodes &&
		s.UpdatedNumberScheduled == Nodes && s.NumberAvailable == Nodes
}
