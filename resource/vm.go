package resource

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// VM is the kind of virtual machines.
var VM = define[VMSpec, VMStatus](Kind{
	Name:  "vm",
	Title: "VM",
	Doc:   "A virtual machine.",

	Recent: []string{"image", "customimage", "spec"},
	Actions: []Action{
		action(Action{Name: "start", Doc: "Powers the VM on.", From: []State{StateStopped}, Until: []State{StateRunning}}, Starter.Start),
		action(Action{Name: "stop", Doc: "Shuts the VM down and keeps it. Most clouds still charge for its disks.", From: []State{StateRunning}, Until: []State{StateStopped}}, Stopper.Stop),
		action(Action{Name: "reboot", Doc: "Restarts the VM.", From: []State{StateRunning}, Until: []State{StateRunning}}, Rebooter.Reboot),
		changes(actionWith(Action{Name: "resize", Doc: "Changes the machine type of a stopped VM.", From: []State{StateStopped}, Until: []State{StateStopped}}, VMResizer.Resize),
			func(s *VMSpec, to VMSize) { s.Spec = to.Spec }),
	},
	Views: []View{
		view(View{Name: "password", Doc: "The first password of a VM with Windows, sealed with its key pair.", Right: "password"}, PasswordReader.Password),
		viewWith(View{Name: "console", Doc: "What the VM has written to its console since its last start, as far as the cloud keeps it: the messages of its boot.", Plain: "output"}, ConsoleReader.Console),
	},
})

// Starter is implemented by collections whose objects can be powered on.
type Starter interface {
	Start(ctx context.Context, id string) error
}

// Stopper is implemented by collections whose objects can be powered off.
type Stopper interface {
	Stop(ctx context.Context, id string) error
}

// Rebooter is implemented by collections whose objects can be restarted.
type Rebooter interface {
	Reboot(ctx context.Context, id string) error
}

// VMResizer is implemented by collections whose objects can become another machine
// type. Resizing to the type that it has already is no error.
type VMResizer interface {
	Resize(ctx context.Context, id string, to VMSize) error
}

// PasswordReader is implemented by collections that know first passwords. While there
// is none yet, the answer is not_found.
type PasswordReader interface {
	Password(ctx context.Context, id string) (VMPassword, error)
}

// ConsoleReader is implemented by collections that keep what their objects write to their
// consoles. While there is nothing yet, the answer is not_found.
type ConsoleReader interface {
	Console(ctx context.Context, id string, which ConsoleLines) (VMConsole, error)
}

// VMSpec is what a VM is asked to be.
type VMSpec struct {
	Image           string   `json:"image,omitempty" doc:"Cloud id of the image to boot, such as ami-0c9c942bd7bf113a2 on AWS; see the catalog's images. Give either image or customimage." catalog:"image" maxLength:"512"`
	Spec            string   `json:"spec" doc:"Name of the machine type, such as t3.micro on AWS; see the catalog's specs." catalog:"spec" minLength:"1" maxLength:"128"`
	Subnet          string   `json:"subnet" doc:"Name of the subnet to place the VM in. The zone follows from it." ref:"subnet" minLength:"1" maxLength:"512"`
	SecurityGroups  []string `json:"securitygroups,omitempty" doc:"Names of the security groups of the VM, all of the subnet's VPC. Default: the cloud's default group of the VPC." completed:"cloud" ref:"securitygroup" flag:"securitygroup" maxItems:"16" minLength:"1" maxLength:"512" nullable:"false"`
	KeyPair         string   `json:"keypair,omitempty" doc:"Name of the key pair for the image's default user. Without it nobody can log in by SSH." ref:"keypair,loose" maxLength:"512"`
	CustomImage     string   `json:"customimage,omitempty" doc:"Name of the custom image to boot. Give either image or customimage." ref:"customimage,weak" maxLength:"512"`
	RootDiskType    string   `json:"rootDiskType,omitempty" doc:"The cloud's name of the type of the root disk, such as gp3 on AWS; see the catalog's disktypes. Default: the cloud's choice." completed:"cloud" catalog:"disktype" maxLength:"128"`
	RootDiskSizeGiB int      `json:"rootDiskSizeGiB,omitempty" doc:"Size of the root disk in GiB. Default: the image's size." completed:"cloud" minimum:"1" maximum:"65536"`
	AdminPassword   string   `json:"adminPassword,omitempty" doc:"First password of the administrator, for clouds that take one. It is handed to the cloud and never shown. AWS takes none: it makes one itself for VMs with Windows, which the view password shows." minLength:"6" maxLength:"128" file:"true" writeOnly:"true"`
	UserData        string   `json:"userData,omitempty" doc:"What the VM's system is told at its first start: a script that begins with #!, or a cloud-init document. At most 16 KiB. Whoever may see the VM may read it: put no secret in it." maxLength:"16384" file:"true"`
}

// VMStatus is what the cloud reports of a VM.
type VMStatus struct {
	Zone           string   `json:"zone,omitempty" doc:"Zone that the VM runs in."`
	PrivateAddress string   `json:"privateAddress,omitempty" address:"true" doc:"First IPv4 address inside the VPC."`
	IPv6Addresses  []string `json:"ipv6Addresses,omitempty" address:"true" doc:"IPv6 addresses of its first network interface, where its subnet has some." nullable:"false"`
	PublicAddress  string   `json:"publicAddress,omitempty" address:"true" doc:"IPv4 address that the internet reaches it by. It may change when the VM is stopped and started, unless it is a public IP's."`
	SSHPort        int      `json:"sshPort,omitempty" doc:"Port of the VM's SSH server. Absent if it is 22, or not known."`
	SSHUser        string   `json:"sshUser,omitempty" doc:"Name to log in with by SSH. Absent where the cloud does not tell."`
}

// VMSize is the parameter of a VM's resize.
type VMSize struct {
	Spec string `json:"spec" doc:"Name of the new machine type, such as t3.small on AWS; see the catalog's specs." catalog:"spec" minLength:"1" maxLength:"128"`
}

// VMPassword is what the view password answers.
type VMPassword struct {
	User              string `json:"user" doc:"Name to log in with."`
	EncryptedPassword string `json:"encryptedPassword" doc:"The password, encrypted with the public key of the VM's key pair (RSA, PKCS #1 v1.5), in base64. Decrypt it with: base64 -d | openssl pkeyutl -decrypt -inkey KEYFILE"`
}

// ConsoleLines is the parameter of the view console.
type ConsoleLines struct {
	Lines int `json:"lines,omitempty" doc:"How many of the last lines. Default: all that the cloud keeps." minimum:"1" maximum:"100000"`
}

// Of are the lines that are asked for.
func (c ConsoleLines) Of(text string) string {
	if c.Lines == 0 {
		return text
	}
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-c.Lines):], "")
}

// VMConsole is what the view console answers.
type VMConsole struct {
	Output  string     `json:"output" doc:"The text."`
	TakenAt *time.Time `json:"takenAt,omitempty" doc:"When the cloud took it, where that is not now."`
}

// Problems implements the rules beyond the schema.
func (s *VMSpec) Problems(at string) []Problem {
	problems := doubleNames(join(at, "securitygroups"), s.SecurityGroups)
	switch {
	case s.Image == "" && s.CustomImage == "":
		problems = append(problems, Problem{Field: join(at, "image"), Message: "is required, or a custom image (customimage); choose one of the catalog's images", Rule: RuleRequired})
	case s.Image != "" && s.CustomImage != "":
		problems = append(problems, Problem{Field: join(at, "customimage"), Message: "give either image or customimage, not both", Rule: RuleExclusive, Limit: "image"})
	}
	if size := len(s.UserData); size > maxUserData {
		problems = append(problems, Problem{Field: join(at, "userData"), Message: fmt.Sprintf("has %d bytes, more than %d; have it fetch the rest", size, maxUserData), Rule: RuleMaxLength, Limit: fmt.Sprint(maxUserData)})
	}
	return problems
}

// maxUserData is what AWS takes, the strictest of the clouds.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html
const maxUserData = 16384

// ProblemsAgainst checks that the security groups are of the subnet's VPC.
func (s *VMSpec) ProblemsAgainst(find Find) []Problem {
	return groupProblems(find, s.SecurityGroups, s.Subnet)
}

// Login says how one logs in to the VM.
func (s *VMSpec) Login(status *VMStatus) Login {
	private := status.PrivateAddress
	if private == "" && len(status.IPv6Addresses) > 0 {
		private = status.IPv6Addresses[0]
	}
	return Login{Public: status.PublicAddress, Private: private, Port: status.SSHPort, User: status.SSHUser, KeyPair: s.KeyPair}
}
