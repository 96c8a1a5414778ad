package api

import "time"

// Recent is a choice that was made when resources of a kind were created, such as image
// and machine type of VMs.
type Recent struct {
	ID             string            `json:"id" doc:"Id of the choice: there is one for each choice in each cloud, region and zone."`
	Kind           string            `json:"kind" doc:"Kind of the resources."`
	Cloud          string            `json:"cloud" doc:"Cloud that they were created in."`
	Region         string            `json:"region,omitempty" doc:"Region of the connection."`
	Zone           string            `json:"zone,omitempty" doc:"Zone of the connection."`
	Choice         map[string]string `json:"choice" doc:"What was chosen: fields of the spec."`
	Count          int               `json:"count" doc:"How often it was created with success."`
	AverageSeconds float64           `json:"averageSeconds" doc:"How long that took from the request until it had settled, in seconds: the mean."`
	LastAt         time.Time         `json:"lastAt" doc:"When it was created last."`
	Details        map[string]string `json:"details,omitempty" doc:"What a client that imported the choice has said of it."`
}
