package kafka

import (
	"maps"
	"slices"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/sasl"
)

// usersPage is how many users are read at once when all are asked for.
const usersPage = 1000

// AlterUserScramCredentials: keeps or forgets users' SCRAM credentials.
//
// Behaviour
//   - each user stands or falls for itself; all that succeed are one commit
//   - a user and mechanism may be named once
//   - the broker makes the keys from the salted password, which it does not keep
//
// Errors: UNACCEPTABLE_CREDENTIAL, UNSUPPORTED_SASL_MECHANISM, RESOURCE_NOT_FOUND, DUPLICATE_RESOURCE
// Source: KIP-554, AlterUserScramCredentialsRequest.json of Kafka 4.3.1
func (b *Broker) alterUserScramCredentials(c *Call, req *kafkaapi.AlterUserScramCredentialsRequest) *kafkaapi.AlterUserScramCredentialsResponse {
	plan := newScramPlan(req)
	_, err := b.store.Update(c.Context, plan.run)
	res := &kafkaapi.AlterUserScramCredentialsResponse{}
	for _, user := range plan.order {
		one := kafkaapi.AlterUserScramCredentialsResponseAlterUserScramCredentialsResult{User: user}
		if f := plan.failures[user]; f.code != kafkaapi.None {
			one.ErrorCode, one.ErrorMessage = f.code, &f.text
		} else if err != nil {
			one.ErrorCode = b.codeOf("alter SCRAM credentials", err)
		}
		res.Results = append(res.Results, one)
	}
	return res
}

type failure struct {
	code kafkaapi.Code
	text string
}

// scramChange sets a user's credential of a mechanism, or forgets it.
type scramChange struct {
	user      string
	mechanism sasl.Mechanism
	set       *sasl.Credential // nil: forget
}

type scramPlan struct {
	order    []string // users as they were first named
	changes  []scramChange
	checked  map[string]failure // what is wrong with the request itself
	failures map[string]failure // of the last run
}

func newScramPlan(req *kafkaapi.AlterUserScramCredentialsRequest) *scramPlan {
	p := &scramPlan{checked: map[string]failure{}}
	named := map[scramChange]bool{}
	add := func(user string, mechanism int8, set *sasl.Credential, f failure) {
		if !slices.Contains(p.order, user) {
			p.order = append(p.order, user)
		}
		c := scramChange{user: user, mechanism: sasl.Mechanism(mechanism)}
		switch {
		case named[c]:
			f = failure{kafkaapi.DuplicateResource, "A user credential cannot be altered twice in the same request"}
		case user == "":
			f = failure{kafkaapi.UnacceptableCredential, "Username must not be empty"}
		case c.mechanism != sasl.SHA256 && c.mechanism != sasl.SHA512:
			f = failure{kafkaapi.UnsupportedSaslMechanism, "Unknown SCRAM mechanism"}
		}
		named[c] = true
		if f.code != kafkaapi.None && p.checked[user].code == kafkaapi.None {
			p.checked[user] = f
		}
		c.set = set
		p.changes = append(p.changes, c)
	}
	for i := range req.Deletions {
		add(req.Deletions[i].Name, req.Deletions[i].Mechanism, nil, failure{})
	}
	for i := range req.Upsertions {
		u := &req.Upsertions[i]
		set, f := credentialOf(u)
		add(u.Name, u.Mechanism, set, f)
	}
	return p
}

func credentialOf(u *kafkaapi.AlterUserScramCredentialsRequestScramCredentialUpsertion) (*sasl.Credential, failure) {
	switch {
	case u.Iterations < sasl.IterationsMin:
		return nil, failure{kafkaapi.UnacceptableCredential, "Too few iterations"}
	case u.Iterations > sasl.IterationsMax:
		return nil, failure{kafkaapi.UnacceptableCredential, "Too many iterations"}
	}
	set, err := sasl.FromSaltedPassword(sasl.Mechanism(u.Mechanism), u.Iterations, slices.Clone(u.Salt), u.SaltedPassword)
	if err != nil {
		return nil, failure{kafkaapi.UnacceptableCredential, "Salt and salted password must have 1 to 255 bytes"}
	}
	return &set, failure{}
}

// run is the transaction; it may run more than once.
func (p *scramPlan) run(tx store.Tx) error {
	p.failures = maps.Clone(p.checked)
	for _, user := range p.order {
		if p.failures[user].code != kafkaapi.None {
			continue
		}
		all, err := sasl.Get(tx, user)
		if err != nil {
			return err
		}
		all, found := p.apply(user, all)
		if !found {
			p.failures[user] = failure{kafkaapi.ResourceNotFound, "Attempt to delete a user credential that does not exist"}
			continue
		}
		if err := sasl.Put(tx, user, all); err != nil {
			return err
		}
	}
	return nil
}

func (p *scramPlan) apply(user string, all []sasl.Credential) (_ []sasl.Credential, found bool) {
	for _, c := range p.changes {
		if c.user != user {
			continue
		}
		at := slices.IndexFunc(all, func(o sasl.Credential) bool { return o.Mechanism == c.mechanism })
		switch {
		case c.set == nil && at < 0:
			return all, false
		case c.set == nil:
			all = slices.Delete(all, at, at+1)
		case at < 0:
			all = append(all, *c.set)
		default:
			all[at] = *c.set
		}
	}
	return all, true
}

// DescribeUserScramCredentials: which mechanisms users have, never the credentials themselves.
//
// Behaviour
//   - no list, or an empty one, means all users that are kept; configured users are not told
//
// Errors: RESOURCE_NOT_FOUND, DUPLICATE_RESOURCE
// Source: KIP-554, DescribeUserScramCredentialsRequest.json of Kafka 4.3.1
func (b *Broker) describeUserScramCredentials(c *Call, req *kafkaapi.DescribeUserScramCredentialsRequest) *kafkaapi.DescribeUserScramCredentialsResponse {
	res := &kafkaapi.DescribeUserScramCredentialsResponse{}
	times := map[string]int{}
	var names []string
	for i := range req.Users {
		if times[req.Users[i].Name]++; times[req.Users[i].Name] == 1 {
			names = append(names, req.Users[i].Name)
		}
	}
	var err error
	if len(names) == 0 {
		names, err = b.scramUsers(c)
	}
	for _, name := range names {
		if err != nil {
			break
		}
		one := kafkaapi.DescribeUserScramCredentialsResponseDescribeUserScramCredentialsResult{User: name}
		if times[name] > 1 {
			text := "Cannot describe SCRAM credentials for the same user twice in a single request: " + name
			one.ErrorCode, one.ErrorMessage = kafkaapi.DuplicateResource, &text
		} else {
			err = b.describeScramUser(c, &one)
		}
		res.Results = append(res.Results, one)
	}
	if err != nil {
		return &kafkaapi.DescribeUserScramCredentialsResponse{ErrorCode: b.codeOf("describe SCRAM credentials", err)}
	}
	return res
}

func (b *Broker) describeScramUser(c *Call, one *kafkaapi.DescribeUserScramCredentialsResponseDescribeUserScramCredentialsResult) error {
	return b.store.View(c.Context, func(tx store.ReadTx) error {
		all, err := sasl.Get(tx, one.User)
		one.CredentialInfos = nil
		for i := range all {
			one.CredentialInfos = append(one.CredentialInfos, kafkaapi.DescribeUserScramCredentialsResponseCredentialInfo{
				Mechanism: int8(all[i].Mechanism), Iterations: all[i].Iterations,
			})
		}
		if err == nil && len(all) == 0 {
			text := "Attempt to describe a user credential that does not exist: " + one.User
			one.ErrorCode, one.ErrorMessage = kafkaapi.ResourceNotFound, &text
		}
		return err
	})
}

// scramUsers lists all kept users, a page in each view.
func (b *Broker) scramUsers(c *Call) (users []string, err error) {
	for after, more := "", true; more && err == nil; more = after != "" {
		err = b.store.View(c.Context, func(tx store.ReadTx) error {
			some, next, err := sasl.List(tx, after, usersPage)
			if err == nil {
				users, after = append(users, some...), next
			}
			return err
		})
	}
	return users, err
}
