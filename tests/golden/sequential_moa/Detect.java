import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import moa.classifiers.core.driftdetection.AbstractChangeDetector;

/**
 * Runs MOA's change detectors over streams of doubles, and prints when each saw a drift or a warning.
 *
 * <p>Standard input has a line a job: class, options and a file of big-endian doubles, separated by tabs.
 * Standard output has a line for each: the indices of drifts and of warnings, separated by a tab.
 */
class Detect {
    public static void main(String[] arguments) throws Exception {
        for (String job : new String(System.in.readAllBytes()).split("\n")) {
            String[] parts = job.split("\t");
            Class<?> kind = Class.forName("moa.classifiers.core.driftdetection." + parts[0]);
            var detector = (AbstractChangeDetector) kind.getDeclaredConstructor().newInstance();
            detector.getOptions().setViaCLIString(parts[1]);
            detector.prepareForUse();
            System.out.println(run(detector, doubles(Path.of(parts[2]))));
        }
    }

    private static String run(AbstractChangeDetector detector, DoubleBuffer values) {
        var drifts = new StringBuilder();
        var warnings = new StringBuilder();
        for (int i = 0; values.hasRemaining(); i++) {
            detector.input(values.get());
            if (detector.getChange()) {
                drifts.append(i).append(' ');
            } else if (detector.getWarningZone()) {
                warnings.append(i).append(' ');
            }
        }
        return drifts.toString().strip() + "\t" + warnings.toString().strip();
    }

    private static DoubleBuffer doubles(Path file) throws Exception {
        return ByteBuffer.wrap(Files.readAllBytes(file)).asDoubleBuffer();
    }
}
