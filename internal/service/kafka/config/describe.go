package config

// Entry is one config of a resource as DescribeConfigs tells it.
type Entry struct {
	Name      string
	Value     *string // nil: null, or hidden
	Type      Type
	Source    Source
	ReadOnly  bool
	Sensitive bool
	Synonyms  []Synonym // in order of precedence, the one in force first
	Doc       string
}

// DescribeTopic tells all configs of a topic, in order of names; stream says that it is one that Kinesis made. Others show of
// what Apache Kafka does not have only what is set on them.
func (b *Broker) DescribeTopic(own Set, stream bool) []Entry {
	entries := make([]Entry, 0, len(topicConfigs.defs))
	for i := range topicConfigs.defs {
		d := &topicConfigs.defs[i]
		if _, set := own[d.Name]; d.ours && !stream && !set {
			continue
		}
		value, source, synonyms := b.resolved(d, own)
		entries = append(entries, Entry{
			Name: d.Name, Value: &value, Type: d.Type, Source: source, Synonyms: synonyms, Doc: d.Doc,
		})
	}
	return entries
}

// DescribeBroker tells all configs of a broker, in order of names, and then those set on it that are not known.
func (b *Broker) DescribeBroker() []Entry {
	entries := make([]Entry, 0, len(brokerConfigs.defs))
	for i := range brokerConfigs.defs {
		d := &brokerConfigs.defs[i]
		entries = append(entries, entryOf(d, b.synonyms(d)))
	}
	for _, place := range []struct {
		set    Set
		source Source
	}{{b.Own, SourceBroker}, {b.Cluster, SourceDefaultBroker}} {
		for _, name := range place.set.names() {
			if FindBroker(name) == nil {
				entries = append(entries, unknown(name, place.source))
			}
		}
	}
	return entries
}

// DescribeCluster tells what is set for all brokers, in order of names.
func (b *Broker) DescribeCluster() []Entry {
	var entries []Entry
	for _, name := range b.Cluster.names() {
		d := FindBroker(name)
		if d == nil {
			entries = append(entries, unknown(name, SourceDefaultBroker))
			continue
		}
		value := b.Cluster[name]
		entries = append(entries, entryOf(d, []Synonym{{name, &value, SourceDefaultBroker}}))
	}
	return entries
}

// entryOf is a broker's config with its values, the one in force first.
func entryOf(d *Def, values []Synonym) Entry {
	e := Entry{
		Name: d.Name, Type: d.Type, Source: SourceDefault, ReadOnly: d.Dynamic == Fixed,
		Sensitive: d.Sensitive(), Synonyms: values, Doc: d.Doc,
	}
	if len(values) > 0 {
		e.Value, e.Source = values[0].Value, values[0].Source
	}
	if e.Sensitive {
		e.hide()
	}
	return e
}

// unknown is a config that no table has: its value may be a secret.
func unknown(name string, source Source) Entry {
	e := Entry{Name: name, Source: source, ReadOnly: true, Sensitive: true, Synonyms: []Synonym{{name, nil, source}}}
	e.hide()
	return e
}

func (e *Entry) hide() {
	e.Value = nil
	hidden := make([]Synonym, len(e.Synonyms))
	for i, s := range e.Synonyms {
		hidden[i] = Synonym{s.Name, nil, s.Source}
	}
	e.Synonyms = hidden
}
