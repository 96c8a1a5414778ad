package cli

import (
	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func (a *app) auditCommand() *cobra.Command {
	group := a.group("audit", groupOther, "Who did what",
		"The server keeps who changed credentials and connections, who deleted, released or\nadopted resources, longer than the operations themselves, and who called extensions\nand the cloud's own API; never what was sent or answered.",
		"  mcic audit list --limit 20\n  mcic audit list --filter verb=delete --filter kind=vm\n  mcic audit list --filter verb=call")
	group.AddCommand(lists(a, &cobra.Command{
		Short:   "List who did what, the newest first",
		Long:    "Lists who did what, the newest first.\n\n" + filterHelp + "\nThe fields are who, verb, kind, connection, name, uid, cloudId, operation and outcome.",
		Example: "  mcic audit list --filter verb=delete --filter outcome=ok -o json",
	}, (*client.Client).Audit, "there is no entry", func(e resource.AuditEntry) string { return e.ID }, a.auditColumns()))
	return group
}

func (a *app) auditColumns() []column[resource.AuditEntry] {
	return []column[resource.AuditEntry]{
		{"WHO", func(e resource.AuditEntry) string { return e.Who }},
		{"VERB", func(e resource.AuditEntry) string { return e.Verb }},
		{"KIND", func(e resource.AuditEntry) string { return e.Kind }},
		{"NAME", func(e resource.AuditEntry) string { return e.Name }},
		{"CONNECTION", func(e resource.AuditEntry) string { return e.Connection }},
		{"CLOUD-ID", func(e resource.AuditEntry) string { return e.CloudID }},
		{"OUTCOME", func(e resource.AuditEntry) string { return e.Outcome }},
		{"DETAIL", func(e resource.AuditEntry) string { return cut(e.Detail) }},
		{"AGE", func(e resource.AuditEntry) string { return age(a.env.Now(), e.At) }},
	}
}
