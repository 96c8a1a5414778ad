package resource

import "context"

// Queue is the kind of message queues.
var Queue = define[QueueSpec, QueueStatus](Kind{
	Name:  "queue",
	Title: "Queue",
	Doc:   "A message queue: who receives a message has it alone for a while, and deletes it when it is done.",
	Actions: []Action{
		action(Action{Name: "purge", Doc: "Deletes all messages for good.", From: []State{StateAvailable}}, Purger.Purge),
	},
	Data: messageCalls(),
})

// Purger is implemented by collections that delete all messages of a queue.
type Purger interface {
	Purge(ctx context.Context, id string) error
}

// QueueSpec is what a queue is asked to be.
type QueueSpec struct {
	FIFO              bool       `json:"fifo,omitempty" doc:"Whether messages of one group are received in the order in which they were sent, and one that is sent twice with the same dedupId within minutes is there once. Default: false."`
	VisibilitySeconds int        `json:"visibilitySeconds,omitempty" doc:"For how long who receives a message has it alone, unless they say otherwise. Default: the cloud's choice, mostly 30." completed:"cloud" minimum:"1" maximum:"43200"`
	RetentionSeconds  int        `json:"retentionSeconds,omitempty" doc:"For how long a message is kept that nobody deletes. Default: the cloud's choice, mostly 4 days." completed:"cloud" minimum:"60" maximum:"1209600"`
	DelaySeconds      int        `json:"delaySeconds,omitempty" doc:"How long after they are sent messages can be received, unless they say otherwise. Default: at once." minimum:"0" maximum:"900"`
	MaxMessageBytes   int        `json:"maxMessageBytes,omitempty" doc:"The most that a message may have. Default: the cloud's choice, mostly 262144." completed:"cloud" minimum:"1024" maximum:"10485760"`
	DeadLetter        DeadLetter `json:"deadLetter,omitzero" doc:"Where messages go that are received again and again. Default: nowhere, they stay." flag:"dead-letter"`
}

// DeadLetter says what becomes of messages that nobody gets done.
type DeadLetter struct {
	Queue    string `json:"queue" doc:"Name of the queue that they go to, FIFO exactly if this one is." ref:"queue,loose" minLength:"1" maxLength:"512"`
	Receives int    `json:"receives" doc:"After how many receives without a deletion." minimum:"1" maximum:"1000"`
}

// QueueStatus is what the cloud reports of a queue.
type QueueStatus struct {
	Endpoint string `json:"endpoint,omitempty" doc:"URL or address of the queue in the cloud's own API."`
	Messages *int64 `json:"messages,omitempty" doc:"How many messages it holds, roughly, where the cloud tells without being asked for each."`
}
