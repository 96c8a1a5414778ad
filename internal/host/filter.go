package host

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
)

// How much a driver may say. A message has a limit of its own, driver.MaxMessage.
const (
	maxText   = 16 << 10 // bytes of a text, such as that of an error: the rest is cut off
	maxObject = 4 << 20  // bytes of an object
	maxStream = 1 << 30  // bytes of all messages of a list
)

// filter is what all answers of a driver's process go through before anybody sees them: they
// lose what is secret in them, and have an end.
type filter struct{ secrets *redactor }

func (f filter) options() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, r, answer any, conn *grpc.ClientConn, call grpc.UnaryInvoker, options ...grpc.CallOption) error {
			return f.answer(answer, call(ctx, method, r, answer, conn, options...))
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, d *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
			stream, err := open(ctx, d, conn, method, options...)
			return &filteredStream{ClientStream: stream, filter: f}, f.failure(err)
		}),
	}
}

type filteredStream struct {
	grpc.ClientStream
	filter filter
	size   int
}

// RecvMsg implements grpc.ClientStream.
func (s *filteredStream) RecvMsg(answer any) error {
	err := s.filter.answer(answer, s.ClientStream.RecvMsg(answer))
	if m, ok := answer.(proto.Message); ok && err == nil {
		if s.size += proto.Size(m); s.size > maxStream {
			return tooMuch("a list", maxStream)
		}
	}
	return err
}

// answer filters a message of the driver protocol. Others on the connection are of the
// library that starts the process.
func (f filter) answer(answer any, err error) error {
	m, ok := answer.(proto.Message)
	switch {
	case err != nil:
		return f.failure(err)
	case !ok || m.ProtoReflect().Descriptor().ParentFile() != driverv1.File_driver_v1_driver_proto:
		return nil
	}
	if _, signs := answer.(*driverv1.SignResponse); signs { // nobody is shown what may be signed with it
		return nil
	}
	return f.message(m.ProtoReflect())
}

func tooMuch(what string, most int) error {
	return status.Error(codes.Internal, fmt.Sprintf("%s has more than %d MiB and was given up; this is a defect of the driver", what, most>>20))
}

// isForPeople reports whether what a message has are texts for people.
func isForPeople(m protoreflect.Descriptor) bool {
	switch m.Name() {
	case "Failure", "FieldProblem", "Pending", "Permission", "Status", "Warning":
		return true
	}
	return false
}

// message filters the fields of a message.
func (f filter) message(m protoreflect.Message) (err error) {
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case field.IsMap():
			if field.MapValue().Kind() == protoreflect.StringKind {
				v.Map().Range(func(k protoreflect.MapKey, one protoreflect.Value) bool {
					v.Map().Set(k, protoreflect.ValueOfString(f.secrets.value(one.String())))
					return true
				})
			}
		case field.IsList():
			for i := 0; i < v.List().Len() && err == nil; i++ {
				var clean protoreflect.Value
				if clean, err = f.field(field, v.List().Get(i)); err == nil && clean.IsValid() {
					v.List().Set(i, clean)
				}
			}
		default:
			var clean protoreflect.Value
			if clean, err = f.field(field, v); err == nil && clean.IsValid() {
				m.Set(field, clean)
			}
		}
		return err == nil
	})
	return err
}

// field filters one value. The answer is not valid if it stays as it is.
func (f filter) field(field protoreflect.FieldDescriptor, v protoreflect.Value) (clean protoreflect.Value, err error) {
	switch field.Kind() { //nolint:exhaustive // numbers and the like say nothing
	case protoreflect.StringKind:
		if field.Name() == "left_id" { // by another one nobody could remove what was left
			return clean, nil
		}
		clean := f.secrets.value
		if isForPeople(field.Parent()) {
			clean = f.secrets.text
		}
		if text := cut(clean(v.String())); text != v.String() {
			return protoreflect.ValueOfString(text), nil
		}
	case protoreflect.BytesKind:
		raw, isObject := v.Bytes(), strings.HasPrefix(string(field.Name()), "object")
		if isObject && len(raw) > maxObject {
			return clean, tooMuch("an object", maxObject)
		}
		said := f.secrets.json(raw)
		if isObject && !bytes.Equal(said, raw) && identityOf(said) != identityOf(raw) {
			return clean, errIdentity
		}
		return protoreflect.ValueOfBytes(said), nil
	case protoreflect.MessageKind:
		return clean, f.message(v.Message())
	}
	return clean, nil
}

// identity is what an object is known by. Under another one it would be taken for gone.
type identity struct{ ID, Token string }

func identityOf(object []byte) (i identity) {
	_ = json.Unmarshal(object, &i) // whoever reads it says what is wrong with it
	return i
}

var errIdentity = status.Error(codes.Internal, "the id of an object on the cloud, or the token that it was made with, has in it what is a secret of a connection to that cloud, and is not passed on; change that secret, and see who uses such a one")

// cut shortens a text.
func cut(text string) string {
	if len(text) <= maxText {
		return text
	}
	end := maxText
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// failure filters an error of the process.
func (f filter) failure(err error) error {
	s, ok := status.FromError(err)
	if err == nil || !ok {
		return err
	}
	said := s.Proto()
	said.Message = cut(f.secrets.text(said.GetMessage()))
	for i, detail := range said.GetDetails() {
		m, err := detail.UnmarshalNew()
		if err != nil {
			continue // nobody can read it
		}
		if f.message(m.ProtoReflect()) != nil {
			continue
		}
		if clean, err := anypb.New(m); err == nil {
			said.Details[i] = clean
		}
	}
	return status.ErrorProto(said)
}
