// SPDX-License-Identifier: Apache-2.0

package release

// CleanByAddress returns the types of the plugins whose DEL removes rules by the
// pod's address or host ports, as prevResult and runtimeConfig name them
// (containernetworking/plugins v1.9.1, plugins/meta/firewall and …/portmap). Once
// the address was given back, a second DEL would remove the rules of the next pod
// that has it.
func CleanByAddress() []string { return []string{"firewall", "portmap"} }

// A Keeper is a plugin whose DEL answers success to an empty CNI_NETNS and keeps
// the address of the pod in a database of its own.
type Keeper struct {
	Type     string
	Database string // the file that has the address
	Remedy   string // a clause for people: how to give the address back
}

// Keepers returns the plugins that keep the address without a namespace.
//
// cni-kindnet (kubernetes-sigs/kindnet, cmd/cni-kindnet/main.go, cmdDel) returns
// at once if CNI_NETNS is empty. Nothing else deletes the row of the container
// from its table "pods".
func Keepers() []Keeper {
	return []Keeper{{
		Type:     "cni-kindnet",
		Database: "/var/lib/cni-kindnet/cni.db",
		Remedy:   `delete the row in the table "pods" that has this container_id`,
	}}
}
