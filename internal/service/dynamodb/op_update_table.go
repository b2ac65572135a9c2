package dynamodb

import (
	"cmp"
	"context"
	"fmt"

	"millrace/internal/api/dynamodbapi"
)

// UpdateTable: changes billing, throughput, stream, class, protection, limits and global indexes of a table, which is UPDATING for a while.
//
// Behaviour
//   - until it is ACTIVE again it shows its old units, also while items are read and written; another billing is shown at once
//   - what changes at once, or beside the table, leaves it ACTIVE: protection, limits on demand, encryption, warm throughput, units of indexes. Protection,
//     encryption and warm throughput change also while the table is UPDATING
//   - billing or a class that is there already changes nothing, but the answer says UPDATING
//   - throughput that would not change is refused
//   - one index is created or deleted at a time; one that is created is filled after the table is ACTIVE again, and cannot be read
//     before it is ACTIVE too; when nothing but the throughput of indexes changes the table stays ACTIVE
//
// Errors: ResourceNotFoundException, ResourceInUseException, LimitExceededException, ValidationException
// Source: DynamoDB API reference, UpdateTable (read 2026-11); AWS Controllers for Kubernetes, findings about DynamoDB, recorded 2026-10; texts as
// errors.go says
func (s *Service) UpdateTable(ctx context.Context, in *dynamodbapi.UpdateTableInput) (*dynamodbapi.UpdateTableOutput, error) {
	p, err := s.resolve(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	dropEmpty(in)
	if err := checkUpdateTable(in); err != nil {
		return nil, err
	}
	if err := s.admitControl(ctx, p, false); err != nil {
		return nil, apiError(err)
	}
	var now int64
	t, err := s.changeTable(ctx, p, func(t *table, at int64) error {
		now = at
		was := t.class
		if t.state == stateDeleting {
			return errInUse(t, p)
		}
		if err := t.admitIndexes(in, p); err != nil {
			return err
		}
		if err := t.admit(in, p); err != nil {
			return err
		}
		if err := t.update(in, p, now); err != nil {
			return err
		}
		if err := t.updateStream(in.StreamSpecification, p); err != nil {
			return err
		}
		moves := t.next != nil || in.StreamSpecification != nil || t.class != was || movesIndexes(in)
		if moves {
			t.state = stateUpdating
		}
		if moves || in.SSESpecification != nil || in.WarmThroughput != nil || len(in.GlobalSecondaryIndexUpdates) > 0 {
			t.due = now + s.opts.StateDelay.Milliseconds()
		}
		return nil
	})
	if err != nil {
		return nil, apiError(err)
	}
	d := t.description(p, now)
	if in.BillingMode != nil || in.TableClass != nil {
		d.TableStatus = new(dynamodbapi.TableStatusUpdating)
	}
	d.OnDemandThroughput = lifted(d.OnDemandThroughput, in.OnDemandThroughput)
	if err := s.describeCounts(ctx, p, t, d); err != nil {
		return nil, apiError(err)
	}
	return &dynamodbapi.UpdateTableOutput{TableDescription: d}, nil
}

// admit sees that a table which is CREATING or UPDATING can be changed as a request asks.
//
// Errors: ResourceInUseException. Source: findings of AWS Controllers for Kubernetes against AWS, October 2026.
func (t *table) admit(in *dynamodbapi.UpdateTableInput, p place) error {
	aside := in.DeletionProtectionEnabled != nil || in.SSESpecification != nil || in.WarmThroughput != nil // each of them comes alone
	switch {
	case t.state == stateActive, t.state == stateUpdating && aside:
		return nil
	case t.state != stateUpdating || t.next == nil:
		return errInUse(t, p)
	case in.ProvisionedThroughput != nil || in.BillingMode != nil:
		return errStillInUse("Table IOPS are currently being updated. Table: " + p.table)
	case in.OnDemandThroughput != nil && t.next.billing != t.billing:
		return errStillInUse("OnDemandThroughput cannot be updated while BillingMode update is in progress")
	case in.StreamSpecification != nil:
		return errStillInUse("Can't enable or disable stream while table IOPS are being updated. Table: " + p.table)
	}
	return errInUse(t, p)
}

// lifted adds limits that a request takes away to those that are left: only the answer to it shows them, as -1.
func lifted(left, asked *dynamodbapi.OnDemandThroughput) *dynamodbapi.OnDemandThroughput {
	if asked == nil {
		return left
	}
	shown := &dynamodbapi.OnDemandThroughput{MaxReadRequestUnits: asked.MaxReadRequestUnits, MaxWriteRequestUnits: asked.MaxWriteRequestUnits}
	if left != nil {
		shown.MaxReadRequestUnits = cmp.Or(left.MaxReadRequestUnits, shown.MaxReadRequestUnits)
		shown.MaxWriteRequestUnits = cmp.Or(left.MaxWriteRequestUnits, shown.MaxWriteRequestUnits)
	}
	return shown
}

// dropEmpty forgets structures without members, which count as absent. Source: findings of AWS Controllers for Kubernetes against AWS,
// October 2026. There a request with nothing else fails with status 500; here it is one without a change.
func dropEmpty(in *dynamodbapi.UpdateTableInput) {
	if w := in.WarmThroughput; w != nil && w.ReadUnitsPerSecond == nil && w.WriteUnitsPerSecond == nil {
		in.WarmThroughput = nil
	}
	if o := in.OnDemandThroughput; o != nil && o.MaxReadRequestUnits == nil && o.MaxWriteRequestUnits == nil {
		in.OnDemandThroughput = nil
	}
}

// errNothing is of a request without a change. Source: findings of AWS Controllers for Kubernetes in us-east-1 and us-west-2, October 2026.
var errNothing = errInvalid("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, SSESpecification, " +
	"ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, OnDemandThroughput, " +
	"WarmThroughput or TableClass is required")

// checkUpdateTable checks what does not depend on the table.
func checkUpdateTable(in *dynamodbapi.UpdateTableInput) error {
	if in.ProvisionedThroughput == nil && in.BillingMode == nil && len(in.GlobalSecondaryIndexUpdates) == 0 && in.StreamSpecification == nil &&
		in.SSESpecification == nil && in.ReplicaUpdates == nil && in.TableClass == nil && in.DeletionProtectionEnabled == nil &&
		in.OnDemandThroughput == nil && in.WarmThroughput == nil && in.VectorIndexUpdates == nil && in.MultiRegionConsistency == nil &&
		in.GlobalTableWitnessUpdates == nil && in.GlobalTableSettingsReplicationMode == nil && in.DisassociationProtectionEnabled == nil {
		return errNothing
	}
	if err := checkOnly(in); err != nil {
		return err
	}
	if in.BillingMode != nil {
		switch {
		case *in.BillingMode == dynamodbapi.BillingModeProvisioned && in.ProvisionedThroughput == nil:
			return errParameter("ProvisionedThroughput must be specified when BillingMode is PROVISIONED")
		case *in.BillingMode == dynamodbapi.BillingModePayPerRequest && in.ProvisionedThroughput != nil:
			return errParameter("ProvisionedThroughput cannot be specified when BillingMode is PAY_PER_REQUEST")
		}
	}
	switch {
	case in.VectorIndexUpdates != nil:
		return errUnserved("VectorIndexUpdates")
	case in.ReplicaUpdates != nil, in.MultiRegionConsistency != nil, in.GlobalTableWitnessUpdates != nil,
		in.GlobalTableSettingsReplicationMode != nil, in.DisassociationProtectionEnabled != nil:
		return errUnserved("A global table")
	}
	if err := checkIndexUpdates(in); err != nil {
		return err
	}
	if err := checkStreamChange(in); err != nil {
		return err
	}
	if err := checkSSE(in.SSESpecification); err != nil {
		return err
	}
	if in.ProvisionedThroughput != nil {
		return checkUnits(in.ProvisionedThroughput)
	}
	return nil
}

// update makes the changes of a request.
func (t *table) update(in *dynamodbapi.UpdateTableInput, p place, now int64) error {
	billed := t.billing
	switch {
	case in.BillingMode != nil && *in.BillingMode == dynamodbapi.BillingModePayPerRequest:
		billed = onDemand
	case in.BillingMode != nil:
		billed = provisioned
	case in.ProvisionedThroughput != nil && t.billing == onDemand:
		return errParameter(textNoUnits)
	}
	if u := in.ProvisionedThroughput; u != nil {
		if t.billing == provisioned && u.ReadCapacityUnits == t.read && u.WriteCapacityUnits == t.write {
			return errUnchanged(t)
		}
		if err := t.begin(throughput{provisioned, u.ReadCapacityUnits, u.WriteCapacityUnits}, now); err != nil {
			return err
		}
	} else if billed != t.billing {
		t.next = &throughput{billing: billed}
	}
	if in.TableClass != nil {
		class, err := classOf(in.TableClass)
		if err == nil {
			err = t.changeClass(class, now)
		}
		if err != nil {
			return err
		}
	}
	if in.SSESpecification != nil {
		if err := t.sse.change(in.SSESpecification, p, now); err != nil {
			return err
		}
	}
	if in.DeletionProtectionEnabled != nil {
		t.protected = *in.DeletionProtectionEnabled
	}
	if err := t.setOnDemandThroughput(in.OnDemandThroughput, billed); err != nil {
		return err
	}
	if err := t.setWarmThroughput(in.WarmThroughput); err != nil {
		return err
	}
	return t.updateIndexes(in, billed)
}

func errUnchanged(t *table) error {
	return errInvalid(fmt.Sprintf("The provisioned throughput for the table will not change. The requested value equals the current value. "+
		"Current ReadCapacityUnits provisioned for the table: %d. Requested ReadCapacityUnits: %d. "+
		"Current WriteCapacityUnits provisioned for the table: %d. Requested WriteCapacityUnits: %d. "+
		"Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.", t.read, t.read, t.write, t.write))
}

// checkOnly refuses changes beside one that must be alone, and names the first of these in AWS's order. Changes of indexes beside them
// are refused by checkAlone.
//
// Source: public clients' tests against AWS, autumn 2026; findings of AWS Controllers for Kubernetes, October 2026.
func checkOnly(in *dynamodbapi.UpdateTableInput) error {
	var alone []string
	for _, x := range []struct {
		name string
		set  bool
	}{
		{"Server-Side Encryption", in.SSESpecification != nil},
		{"TableClass", in.TableClass != nil},
		{"DeletionProtection", in.DeletionProtectionEnabled != nil},
	} {
		if x.set {
			alone = append(alone, x.name)
		}
	}
	units := in.ProvisionedThroughput != nil || in.BillingMode != nil
	others := units || len(in.GlobalSecondaryIndexUpdates) > 0 || in.StreamSpecification != nil || in.OnDemandThroughput != nil || in.WarmThroughput != nil
	switch {
	case len(alone) > 1 || len(alone) == 1 && others:
		return errParameter(alone[0] + " modification must be the only operation in the request")
	case in.OnDemandThroughput != nil && (in.StreamSpecification != nil || in.WarmThroughput != nil):
		return errParameter("OnDemandThroughput can only be combined with BillingMode in an UpdateTable request")
	case in.WarmThroughput != nil && (units || in.StreamSpecification != nil):
		return errParameter("WarmThroughput must be the only operation in the request")
	}
	return nil
}
