import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.Scanner;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's console tools one after the other in this process, since starting one for each would take most of the
 * time. Each line of standard input is a call: the main class, what the tool reads from its standard input in base64, and its
 * arguments, all with tabs between them. Each is answered with a line: the exit code, and the output in base64.
 */
public final class Tools {
  private static final class Exited extends RuntimeException {
    final int code;
    final int written; // bytes of output until then

    Exited(int code, int written) {
      super(null, null, false, false);
      this.code = code;
      this.written = written;
    }
  }

  private Tools() {}

  public static void main(String[] args) throws Exception {
    PrintStream answers = System.out;
    AtomicReference<Exited> ended = new AtomicReference<>();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    Exit.Procedure exit = (status, message) -> {
      // Tools catch this and exit once more: the first time is the one that counts.
      ended.compareAndSet(null, new Exited(status, out.size()));
      throw ended.get();
    };
    Exit.setExitProcedure(exit);
    Exit.setHaltProcedure(exit);
    Exit.setShutdownHookAdder((name, hook) -> {}); // hooks of a tool must not wait for the end of this process
    Scanner calls = new Scanner(System.in, StandardCharsets.UTF_8);
    InputStream nothing = InputStream.nullInputStream();
    while (calls.hasNextLine()) {
      String[] call = calls.nextLine().split("\t", -1);
      out.reset();
      ended.set(null);
      PrintStream text = new PrintStream(out, true, StandardCharsets.UTF_8);
      System.setOut(text);
      System.setErr(text);
      System.setIn(call[1].isEmpty() ? nothing : new ByteArrayInputStream(Base64.getDecoder().decode(call[1])));
      int code = 0;
      try {
        Class.forName(call[0]).getMethod("main", String[].class).invoke(null, (Object) Arrays.copyOfRange(call, 2, call.length));
      } catch (InvocationTargetException e) {
        if (!(e.getCause() instanceof Exited)) {
          e.getCause().printStackTrace(text);
          code = -1;
        }
      } catch (ReflectiveOperationException e) {
        e.printStackTrace(text);
        code = -1;
      }
      text.flush();
      byte[] written = out.toByteArray();
      if (ended.get() != null) {
        code = ended.get().code;
        written = Arrays.copyOf(written, ended.get().written);
      }
      answers.println(code + " " + Base64.getEncoder().encodeToString(written));
      answers.flush();
    }
    Runtime.getRuntime().halt(0);
  }
}
