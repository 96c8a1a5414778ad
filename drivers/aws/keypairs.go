package aws

import (
	"context"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// keyPairs have their name as id: it is unique in a region, never changes, and is
// what instances refer to, both in RunInstances and in DescribeInstances. With the
// key-… id every list of VMs would cost another call.
type (
	keyPairs struct {
		objects[types.KeyPairInfo, resource.KeyPairSpec, resource.KeyPairStatus]
	}
	keyPair = driver.Object[resource.KeyPairSpec, resource.KeyPairStatus]
)

func (s *session) keyPairs(ctx context.Context, w wanted) iter.Seq2[types.KeyPairInfo, error] {
	return unpaged(ctx, s.ec2.DescribeKeyPairs, &ec2.DescribeKeyPairsInput{KeyNames: w.ids, Filters: w.filters, IncludePublicKey: aws.Bool(true)},
		func(page *ec2.DescribeKeyPairsOutput) []types.KeyPairInfo { return page.KeyPairs })
}

// Make imports a public key. AWS takes a name once in a region.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImportKeyPair.html
func (k keyPairs) Make(ctx context.Context, r driver.Request[resource.KeyPairSpec]) (keyPair, error) {
	tags := tagged(r, types.ResourceTypeKeyPair)
	out, err := call(ctx, k.ec2.ImportKeyPair, &ec2.ImportKeyPairInput{
		KeyName: aws.String(r.Name), PublicKeyMaterial: []byte(r.Spec.PublicKey), TagSpecifications: tags,
	})
	made := keyPairOf(types.KeyPairInfo{KeyName: out.KeyName, KeyPairId: out.KeyPairId, KeyFingerprint: out.KeyFingerprint, Tags: tags[0].Tags})
	made.Spec = r.Spec
	return made, err
}

// Delete removes a key pair. AWS takes the removal of what is not there as done.
func (k keyPairs) Delete(ctx context.Context, id string) error {
	return do(ctx, k.ec2.DeleteKeyPair, &ec2.DeleteKeyPairInput{KeyName: aws.String(id)})
}

// Label changes the labels of a key pair; tags go by its other id.
func (k keyPairs) Label(ctx context.Context, id string, change resource.LabelChange) error {
	found, err := k.Look(ctx, id)
	if err != nil {
		return err
	}
	return k.session.Label(ctx, aws.ToString(found.KeyPairId), change)
}

func keyPairOf(x types.KeyPairInfo) keyPair {
	o := object[resource.KeyPairSpec, resource.KeyPairStatus](x.KeyName, x.Tags, x)
	o.Name = o.ID
	o.State = resource.StateAvailable // AWS knows no states of key pairs
	o.CreatedAt = x.CreateTime
	o.Spec = resource.KeyPairSpec{Algorithm: string(x.KeyType), PublicKey: strings.TrimSpace(aws.ToString(x.PublicKey))}
	o.Status.Fingerprint = aws.ToString(x.KeyFingerprint)
	return o
}
