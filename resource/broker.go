package resource

import (
	"cmp"
	"context"
)

// Broker is the kind of managed message brokers.
var Broker = define[BrokerSpec, BrokerStatus](Kind{
	Name:    "broker",
	Title:   "Message broker",
	Doc:     "A managed message broker that clients speak to in its own protocol, such as Kafka's.",
	Secrets: []Secret{{Name: adminPassword, Doc: "The administrator's password. Only when the server made it."}},

	Patience: 2, // several nodes, each with its storage, take long on most clouds
	Actions: []Action{
		action(Action{Name: "restart", Doc: "Restarts it, one node after the other where it has several. Connections break.", From: []State{StateAvailable}}, Restarter.Restart),
		changes(actionWith(Action{Name: "resize", Doc: "Changes its machines, their number or their storage. Nodes are not taken away, and storage does not shrink.", From: []State{StateAvailable}}, BrokerResizer.Resize), (*BrokerSpec).resize),
		actionWith(Action{Name: "setpassword", Doc: "Replaces the administrator's password, where it has one.", From: []State{StateAvailable}}, PasswordSetter.SetPassword),
	},
})

// BrokerResizer is implemented by collections whose brokers can become larger.
type BrokerResizer interface {
	Resize(ctx context.Context, id string, to BrokerSize) error
}

// BrokerSpec is what a broker is asked to be.
type BrokerSpec struct {
	Engine         string   `json:"engine" doc:"Engine that it runs." enum:"kafka,rabbitmq,activemq"`
	Version        string   `json:"version,omitempty" doc:"Version of the engine as the cloud writes it, such as 3.9. Default: the cloud's choice." completed:"cloud" maxLength:"64"`
	Spec           string   `json:"spec" doc:"Name of the machine type of its nodes, such as kafka.t3.small or mq.m5.large on AWS." minLength:"1" maxLength:"128"`
	Nodes          int      `json:"nodes,omitempty" doc:"Number of its nodes. Default: 1; some clouds want one for each subnet." completed:"cloud" minimum:"1" maximum:"100"`
	StorageGiB     int      `json:"storageGiB,omitempty" doc:"Storage of each node in GiB. Default: the cloud's choice." completed:"cloud" minimum:"1" maximum:"65536"`
	VPC            string   `json:"vpc" doc:"Name of the VPC that it can be reached from." ref:"vpc" minLength:"1" maxLength:"512"`
	Subnets        []string `json:"subnets,omitempty" doc:"Names of the subnets that its nodes stand in. AWS wants two or three in different zones for Kafka. Default: the cloud's choice among those of the VPC." completed:"cloud" ref:"subnet" flag:"subnet" maxItems:"16" minLength:"1" maxLength:"512" nullable:"false"`
	SecurityGroups []string `json:"securitygroups,omitempty" doc:"Names of the security groups that say who reaches it, where the cloud takes them. Default: the cloud's default group of the VPC." completed:"cloud" ref:"securitygroup" flag:"securitygroup" maxItems:"16" minLength:"1" maxLength:"512" nullable:"false"`
	Public         bool     `json:"public,omitempty" doc:"Whether it has public addresses, too. Default: it can be reached only from inside the VPC."`
	AdminUser      string   `json:"adminUser,omitempty" doc:"Name of the administrator, for rabbitmq and activemq: a letter, then letters, digits and underscores. Default: admin." maxLength:"32" pattern:"^([A-Za-z][A-Za-z0-9_]*)?$" patternDescription:"a letter, then letters, digits and underscores"`
	AdminPassword  string   `json:"adminPassword,omitempty" doc:"Password of the administrator, for rabbitmq and activemq, with the rule of databases' passwords. Without it the server makes one and answers it once. It is handed to the cloud and never shown." maxLength:"128" file:"true" writeOnly:"true"`
}

// BrokerStatus is what the cloud reports of a broker.
type BrokerStatus struct {
	Endpoints []string `json:"endpoints,omitempty" doc:"What clients connect to: names with ports, or URLs." nullable:"false"`
	Version   string   `json:"version,omitempty" doc:"Version of the engine that it runs, in full where the cloud tells."`
}

// BrokerSize is the parameter of a broker's resize. What is left out stays.
type BrokerSize struct {
	Spec       string `json:"spec,omitempty" doc:"Name of the new machine type of its nodes. Default: as it is." maxLength:"128"`
	Nodes      int    `json:"nodes,omitempty" doc:"New number of its nodes, at least the present one. Default: as it is." minimum:"1" maximum:"100"`
	StorageGiB int    `json:"storageGiB,omitempty" doc:"New storage of each node in GiB, at least the present one. Default: as it is." minimum:"1" maximum:"65536"`
}

// kafka is the engine without an administrator who logs in.
const kafka = "kafka"

// Problems implements the rules beyond the schema, and fills the defaults that are the same on
// every cloud.
func (s *BrokerSpec) Problems(at string) []Problem {
	problems := doubleNames(join(at, "subnets"), s.Subnets)
	problems = append(problems, doubleNames(join(at, "securitygroups"), s.SecurityGroups)...)
	if s.Engine != kafka {
		s.AdminUser = cmp.Or(s.AdminUser, "admin")
		if s.AdminPassword != "" {
			problems = append(problems, passwordProblems(join(at, adminPassword), s.AdminPassword)...)
		}
		return problems
	}
	for name, value := range map[string]string{"adminUser": s.AdminUser, adminPassword: s.AdminPassword} {
		if value != "" {
			problems = append(problems, Problem{Field: join(at, name), Message: "is only for rabbitmq and activemq; leave it out: the network says who reaches Kafka", Rule: RuleExclusive, Limit: "engine"})
		}
	}
	return problems
}

// Problems implements the rules beyond the schema.
func (b *BrokerSize) Problems(at string) []Problem {
	if *b == (BrokerSize{}) {
		return []Problem{{Field: join(at, "spec"), Message: "nothing is given; give a machine type, a number of nodes or a size of the storage", Rule: RuleRequired}}
	}
	return nil
}

// Complete makes the administrator's password if there is one and none was given.
func (s *BrokerSpec) Complete() (map[string]string, error) {
	if s.Engine == kafka || s.AdminPassword != "" {
		return nil, nil
	}
	s.AdminPassword = newPassword()
	return map[string]string{adminPassword: s.AdminPassword}, nil
}

// ProblemsAgainst checks that subnets and security groups are of the VPC.
func (s *BrokerSpec) ProblemsAgainst(find Find) []Problem {
	return networkProblems(find, s.Subnets, s.SecurityGroups, s.VPC, "the broker is to belong")
}

// resize changes what is given.
func (s *BrokerSpec) resize(to BrokerSize) {
	s.Spec, s.Nodes, s.StorageGiB = cmp.Or(to.Spec, s.Spec), cmp.Or(to.Nodes, s.Nodes), cmp.Or(to.StorageGiB, s.StorageGiB)
}
