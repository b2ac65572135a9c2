import java.util.Arrays;
import java.util.Map;
import java.util.Objects;

/** Steps of a program: each prints {@code ok STEP}, or {@code FAILED STEP: reason} and the program exits 1. */
final class Steps {
    interface Step {
        void run() throws Exception;
    }

    private Steps() {}

    private static void run(String name, Step step) {
        try {
            step.run();
        } catch (Throwable e) {
            e.printStackTrace();
            String text = e.toString();
            System.out.println("FAILED " + name + ": " + text.substring(0, Math.min(text.length(), 800)).replace('\n', ' '));
            System.exit(1);
        }
        System.out.println("ok " + name);
    }

    /** Runs steps in their order and ends the process, which threads of clients would keep. */
    static void run(Map<String, Step> steps) {
        steps.forEach(Steps::run);
        System.exit(0);
    }

    static void check(boolean condition, Object... facts) {
        if (!condition) {
            throw new AssertionError(Arrays.toString(facts));
        }
    }

    static void same(Object got, Object want) {
        check(Objects.equals(got, want), "got", got, "want", want);
    }
}
