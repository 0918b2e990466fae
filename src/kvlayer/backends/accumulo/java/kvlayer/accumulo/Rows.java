package kvlayer.accumulo;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Map.Entry;
import org.apache.accumulo.core.client.AccumuloException;
import org.apache.accumulo.core.client.AccumuloSecurityException;
import org.apache.accumulo.core.client.BatchWriter;
import org.apache.accumulo.core.client.ConditionalWriter;
import org.apache.accumulo.core.client.MutationsRejectedException;
import org.apache.accumulo.core.data.ArrayByteSequence;
import org.apache.accumulo.core.data.ByteSequence;
import org.apache.accumulo.core.data.Condition;
import org.apache.accumulo.core.data.ConditionalMutation;
import org.apache.accumulo.core.data.Key;
import org.apache.accumulo.core.data.Mutation;
import org.apache.accumulo.core.data.Range;
import org.apache.accumulo.core.data.Value;
import org.apache.hadoop.io.Text;

/**
 * Rows by the batch: many of them cross between Python and Java as one array of bytes.
 *
 * <p>Such an array holds 32-bit numbers, big endian: first how many items there are, then the lengths
 * of each item's parts; behind them the parts themselves. packed.py is the other side of it.
 */
public final class Rows {
  /** As the length of an expected value: no row. As the length of a new value: remove the row. */
  private static final int ABSENT = -1;

  /** As the length of an expected value: whatever there is. */
  private static final int ANYTHING = -2;

  private static final byte[] EMPTY = {};

  /** Of a column family that no row has, which servers find out without reading a file. */
  private static final Condition NO_CONDITION = new Condition("never", "");

  private Rows() {}

  /** Writes pairs of keys and values, and waits until they are written. */
  public static void put(BatchWriter writer, byte[] pairs) throws MutationsRejectedException {
    Parts parts = new Parts(pairs, 2);
    List<Mutation> mutations = new ArrayList<>(parts.items);
    for (int i = 0; i < parts.items; i++) {
      Mutation mutation = parts.mutation();
      mutation.put(EMPTY, EMPTY, parts.bytes());
      mutations.add(mutation);
    }
    writer.addMutations(mutations);
    writer.flush();
  }

  /** Removes the rows of keys, and waits until they are gone. */
  public static void delete(BatchWriter writer, byte[] keys) throws MutationsRejectedException {
    Parts parts = new Parts(keys, 1);
    List<Mutation> mutations = new ArrayList<>(parts.items);
    for (int i = 0; i < parts.items; i++) {
      Mutation mutation = parts.mutation();
      mutation.putDelete(EMPTY, EMPTY);
      mutations.add(mutation);
    }
    writer.addMutations(mutations);
    writer.flush();
  }

  /**
   * Makes changes, triples of a key, the value expected and the new value, each by itself.
   *
   * @return the status of each, in their order, as the ordinal of ConditionalWriter.Status
   */
  public static byte[] change(ConditionalWriter writer, byte[] triples)
      throws AccumuloException, AccumuloSecurityException {
    Parts parts = new Parts(triples, 3);
    List<ConditionalMutation> mutations = new ArrayList<>(parts.items);
    Map<ByteSequence, Integer> places = new HashMap<>(2 * parts.items);
    for (int i = 0; i < parts.items; i++) {
      byte[] key = parts.bytes();
      ConditionalMutation mutation = new ConditionalMutation(key, parts.condition());
      byte[] value = parts.bytes();
      if (value == null) {
        mutation.putDelete(EMPTY, EMPTY);
      } else {
        mutation.put(EMPTY, EMPTY, value);
      }
      mutations.add(mutation);
      places.put(new ArrayByteSequence(key), i);
    }
    byte[] statuses = new byte[parts.items];
    Iterator<ConditionalWriter.Result> results = writer.write(mutations.iterator());
    while (results.hasNext()) {
      ConditionalWriter.Result result = results.next();
      int place = places.get(new ArrayByteSequence(result.getMutation().getRow()));
      statuses[place] = (byte) result.getStatus().ordinal();
    }
    return statuses;
  }

  /** Packs up to so many rows of a scanner's iterator; fewer, once they have so many bytes. */
  public static byte[] read(Iterator<Entry<Key, Value>> rows, int most, int mostBytes) {
    List<Entry<Key, Value>> found = new ArrayList<>(Math.min(most, 1000));
    int size = 0;
    while (found.size() < most && size < mostBytes && rows.hasNext()) {
      Entry<Key, Value> row = rows.next();
      found.add(row);
      size += row.getKey().getRowData().length() + row.getValue().getSize();
    }
    ByteBuffer packed = ByteBuffer.allocate(4 + 8 * found.size() + size);
    packed.putInt(found.size());
    for (Entry<Key, Value> row : found) {
      packed.putInt(row.getKey().getRowData().length()).putInt(row.getValue().getSize());
    }
    for (Entry<Key, Value> row : found) {
      ByteSequence key = row.getKey().getRowData();
      packed.put(key.getBackingArray(), key.offset(), key.length()).put(row.getValue().get());
    }
    return packed.array();
  }

  /** As read, without the values. */
  public static byte[] readKeys(Iterator<Entry<Key, Value>> rows, int most, int mostBytes) {
    List<ByteSequence> found = new ArrayList<>(Math.min(most, 1000));
    int size = 0;
    while (found.size() < most && size < mostBytes && rows.hasNext()) {
      ByteSequence key = rows.next().getKey().getRowData();
      found.add(key);
      size += key.length();
    }
    ByteBuffer packed = ByteBuffer.allocate(4 + 4 * found.size() + size);
    packed.putInt(found.size());
    found.forEach(key -> packed.putInt(key.length()));
    found.forEach(key -> packed.put(key.getBackingArray(), key.offset(), key.length()));
    return packed.array();
  }

  /** One range for each key. */
  public static List<Range> ranges(byte[] keys) {
    Parts parts = new Parts(keys, 1);
    List<Range> ranges = new ArrayList<>(parts.items);
    for (int i = 0; i < parts.items; i++) {
      ranges.add(new Range(new Text(parts.bytes())));
    }
    return ranges;
  }

  /** The parts in a packed array, one after the other. */
  private static final class Parts {
    final int items;
    private final byte[] packed;
    private final ByteBuffer lengths;
    private int next;

    Parts(byte[] packed, int partsOfItem) {
      this.packed = packed;
      lengths = ByteBuffer.wrap(packed);
      items = lengths.getInt();
      next = 4 + 4 * partsOfItem * items;
    }

    /** A mutation of the row whose key is the next part. */
    Mutation mutation() {
      int length = lengths.getInt();
      next += length;
      return new Mutation(packed, next - length, length);
    }

    /** The next part, which may be absent: null. */
    byte[] bytes() {
      return copy(lengths.getInt());
    }

    /** The condition that the next part stands for. */
    Condition condition() {
      int length = lengths.getInt();
      if (length == ANYTHING) {
        return NO_CONDITION;
      }
      Condition condition = new Condition(EMPTY, EMPTY);
      return length == ABSENT ? condition : condition.setValue(copy(length));
    }

    private byte[] copy(int length) {
      if (length == ABSENT) {
        return null;
      }
      next += length;
      return Arrays.copyOfRange(packed, next - length, next);
    }
  }
}
