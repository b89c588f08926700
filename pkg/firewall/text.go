// SPDX-License-Identifier: Apache-2.0

package firewall

// decodeText makes tables of rules that are written as text.
func (r *Rules) decodeText(text string) []*table { return nil }
