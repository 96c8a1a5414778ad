package resource

import (
	"context"
	"encoding/base64"
	"fmt"
	"regexp"
	"time"
)

// Sender is implemented by collections whose objects take messages.
type Sender interface {
	Send(ctx context.Context, id string, m NewMessages) (SentMessages, error)
}

// Receiver is implemented by collections whose objects give messages away. Whoever receives
// one has it alone until the visibility ends, and deletes it when it is done.
type Receiver interface {
	Receive(ctx context.Context, id string, q MessageQuery) (Messages, error)
	DeleteMessages(ctx context.Context, id string, r Receipts) (HandledMessages, error)
}

// VisibilitySetter is implemented by collections that change for how long a message is its
// receiver's alone. What the cloud cannot set just so is invalid.
type VisibilitySetter interface {
	SetVisibility(ctx context.Context, id string, v VisibilityChanges) (HandledMessages, error)
}

// messageCalls are the data calls of kinds that hold messages.
func messageCalls() []DataCall {
	return []DataCall{
		dataCall(DataCall{Name: "send", Method: "POST", Path: "messages", Doc: "Sends messages. Each is received at least once; one whose answer is lost may be there."}, Sender.Send),
		dataCall(DataCall{Name: "receive", Method: "GET", Path: "messages", Takes: true, Doc: "Receives messages, fewer than there are if the cloud likes. They come again unless they are deleted in time."}, Receiver.Receive),
		dataCall(DataCall{
			Name: "deletemessages", Method: "POST", Path: "messages:delete", Doc: "Deletes messages that were received; one that is not there any more is passed over.",
			Single: single(Single{Name: "deletemessage", Method: "DELETE", Path: "messages/{receipt}", Doc: "Deletes a message that was received; one that is not there any more is passed over."},
				func(one ReceiptName) Receipts { return Receipts{Receipts: []Receipt{one.Receipt}} }),
		}, Receiver.DeleteMessages),
		dataCall(DataCall{Name: "setvisibility", Method: "POST", Path: "messages:setvisibility", Doc: "Changes for how long messages that were received stay with their receiver; 0 gives them back."}, VisibilitySetter.SetVisibility),
	}
}

// Receipt is what one receives a message with, and deletes it by. In JSON and in paths it is
// base64url, so that it can be any text of the cloud's.
type Receipt string

// MarshalText implements encoding.TextMarshaler.
func (r Receipt) MarshalText() ([]byte, error) {
	return []byte(base64.RawURLEncoding.EncodeToString([]byte(r))), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Receipt) UnmarshalText(text []byte) error {
	raw, err := base64.RawURLEncoding.DecodeString(string(text))
	if err != nil {
		return Errorf(CodeInvalid, "%q is not a receipt; give the one that came with the message", printable(string(text)))
	}
	*r = Receipt(raw)
	return nil
}

// NewMessages are messages to send.
type NewMessages struct {
	Messages []NewMessage `json:"messages" doc:"The messages." minItems:"1" maxItems:"100" nullable:"false"`
}

// NewMessage is a message to send.
type NewMessage struct {
	Body         string            `json:"body" doc:"Its text. Bytes that are no text need an encoding, such as base64." minLength:"1" maxLength:"10485760"`
	Attributes   map[string]string `json:"attributes,omitempty" doc:"Texts beside it by name, at most 10." maxProperties:"10"`
	DelaySeconds *int              `json:"delaySeconds,omitempty" doc:"How long after now it can be received. Default: as the queue says." minimum:"0" maximum:"900"`
	Group        string            `json:"group,omitempty" doc:"In a FIFO queue, and required there: messages with the same one come in their order." maxLength:"128"`
	DedupID      string            `json:"dedupId,omitempty" doc:"In a FIFO queue: one that is sent again with the same one within minutes is there once. Default: each is another one." maxLength:"128"`
}

// SentMessages is what became of messages that were to be sent, in their order.
type SentMessages struct {
	Messages []SentMessage `json:"messages" doc:"What became of each, in the order in which they were given." nullable:"false"`
}

// SentMessage is what became of one.
type SentMessage struct {
	ID    string `json:"id,omitempty" doc:"The cloud's id of the message. Absent if it was not sent."`
	Error *Error `json:"error,omitempty" doc:"Why it was not sent."`
}

// MessageQuery says what is received.
type MessageQuery struct {
	Max               int  `json:"max,omitempty" doc:"How many at most. Default: 1." minimum:"1" maximum:"100"`
	WaitSeconds       int  `json:"waitSeconds,omitempty" doc:"How long to wait for the first one. Default: not at all." minimum:"0" maximum:"20"`
	VisibilitySeconds *int `json:"visibilitySeconds,omitempty" doc:"For how long they are the receiver's alone. Default: as the queue says." minimum:"0" maximum:"43200"`
}

// Messages are messages that were received.
type Messages struct {
	Messages []Message `json:"messages" doc:"The messages; none if there are none now." nullable:"false"`
}

// Message is a message that was received.
type Message struct {
	ID         string            `json:"id" doc:"The cloud's id of the message."`
	Receipt    Receipt           `json:"receipt" doc:"To delete it by, of this receive alone."`
	Body       string            `json:"body" doc:"Its text."`
	Attributes map[string]string `json:"attributes,omitempty" doc:"Texts beside it by name."`
	Group      string            `json:"group,omitempty" doc:"In a FIFO queue: the group that it is of."`
	DedupID    string            `json:"dedupId,omitempty" doc:"In a FIFO queue: what it was sent with."`
	SentAt     *time.Time        `json:"sentAt,omitempty" doc:"When it was sent, where the cloud tells."`
	Receives   int               `json:"receives,omitempty" doc:"How often it was received, this time included, roughly, where the cloud tells."`
}

// ReceiptName names one message that was received.
type ReceiptName struct {
	Receipt Receipt `json:"receipt" doc:"Receipt of the message." minLength:"1" maxLength:"8192" pattern:"^[A-Za-z0-9_-]+$" patternDescription:"the receipt that came with the message"`
}

// Receipts name messages that were received.
type Receipts struct {
	Receipts []Receipt `json:"receipts" doc:"Receipts of the messages." minItems:"1" maxItems:"100" minLength:"1" maxLength:"8192" pattern:"^[A-Za-z0-9_-]+$" patternDescription:"the receipt that came with the message" nullable:"false"`
}

// VisibilityChanges says for how long messages stay with their receivers.
type VisibilityChanges struct {
	Receipts          []Receipt `json:"receipts" doc:"Receipts of the messages." minItems:"1" maxItems:"100" minLength:"1" maxLength:"8192" pattern:"^[A-Za-z0-9_-]+$" patternDescription:"the receipt that came with the message" nullable:"false"`
	VisibilitySeconds int       `json:"visibilitySeconds" doc:"For how long from now; 0 gives them back." minimum:"0" maximum:"43200"`
}

// HandledMessages is what became of messages that were named by their receipts, in their
// order.
type HandledMessages struct {
	Messages []HandledMessage `json:"messages" doc:"What became of each, in the order in which they were named." nullable:"false"`
}

// HandledMessage is what became of one. Without an error it is done.
type HandledMessage struct {
	Error *Error `json:"error,omitempty" doc:"Why it is not done: not_found if the receipt is not good any more."`
}

// Len is how many they are.
func (m NewMessages) Len() int { return len(m.Messages) }

// Len is how many they are.
func (r Receipts) Len() int { return len(r.Receipts) }

// Len is how many they are.
func (v VisibilityChanges) Len() int { return len(v.Receipts) }

// Len implements Batch.
func (s SentMessages) Len() int { return len(s.Messages) }

// Len implements Batch.
func (h HandledMessages) Len() int { return len(h.Messages) }

// Failures implements Batch.
func (s SentMessages) Failures() []*Error {
	return failures(s.Messages, func(m SentMessage) *Error { return m.Error })
}

// Failures implements Batch.
func (h HandledMessages) Failures() []*Error {
	return failures(h.Messages, func(m HandledMessage) *Error { return m.Error })
}

// failures are the errors of those that have one.
func failures[T any](all []T, of func(T) *Error) []*Error {
	var failed []*Error
	for _, one := range all {
		if err := of(one); err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}

// attributeName is what all clouds take.
var attributeName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,127}$`)

// Problems implements the rules beyond the schema.
func (m *NewMessages) Problems(at string) []Problem {
	var problems []Problem
	for i, one := range m.Messages {
		for name := range one.Attributes {
			if !attributeName.MatchString(name) {
				problems = append(problems, Problem{Field: fmt.Sprintf("%s[%d].attributes", join(at, "messages"), i), Message: fmt.Sprintf("%q is not 1 to 128 letters, digits, '_' and '-', beginning with a letter", printable(name)), Rule: RuleCharacters})
			}
		}
	}
	return problems
}
