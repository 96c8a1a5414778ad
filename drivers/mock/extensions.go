package mock

import (
	"context"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// countAllInput and countAllOutput are written as in CB-Spider, whose Mock driver has
// the same operation among its AnyCalls.
type countAllInput struct {
	Kind string `json:"rsType" doc:"Kind to count, such as vpc." minLength:"1" maxLength:"64"`
}

type countAllOutput struct {
	Count int `json:"Count" doc:"Number of objects of the kind."`
}

func countAll(ctx context.Context, s *session, in countAllInput) (countAllOutput, error) {
	if err := s.callRegion(ctx); err != nil {
		return countAllOutput{}, err
	}
	if _, err := resource.KindNamed(in.Kind); err != nil {
		return countAllOutput{}, refuseField("rsType", "InvalidParameterValue", "%s", err.Error())
	}
	s.cloud.catchUp()
	s.cloud.mu.RLock()
	defer s.cloud.mu.RUnlock()
	return countAllOutput{s.count(in.Kind)}, nil
}

// count is how many objects of a kind the account has in the region. The cloud is held.
func (s *session) count(kind string) int {
	if shelf := s.cloud.shelves[s.shelfOf(kind)]; shelf != nil {
		return len(shelf.live)
	}
	return 0
}

type echoInput struct {
	Text   string            `json:"text" doc:"Any text, such as hello." minLength:"1" maxLength:"10000"`
	Values map[string]string `json:"values,omitempty" doc:"Any values." maxProperties:"100"`
	Fail   resource.Code     `json:"fail,omitempty" doc:"Code of an error to fail with, to rehearse that." enum:"invalid,not_found,already_exists,conflict,dependency,quota,denied,throttled,unavailable,unsupported,internal"`
}

type echoOutput struct {
	Text    string            `json:"text" doc:"The text."`
	Values  map[string]string `json:"values,omitempty" doc:"The values."`
	Account string            `json:"account" doc:"Account that asked."`
	Region  string            `json:"region" doc:"Region that was asked."`
}

func echo(ctx context.Context, s *session, in echoInput) (echoOutput, error) {
	if err := s.callRegion(ctx); err != nil {
		return echoOutput{}, err
	}
	if in.Fail != "" {
		return echoOutput{}, refuse(in.Fail, "AsAsked", "the extension echo fails with the code %s, as it was asked to", in.Fail)
	}
	return echoOutput{in.Text, in.Values, s.Account, s.Region}, nil
}
