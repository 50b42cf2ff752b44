package mayfly;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/** One connection to the Runtime API. A socket alone: an HTTP client of the library takes a tenth of a second to load. */
final class RuntimeApi {
    static final String PREFIX = "/2018-06-01/runtime";

    /** A call: its event, and what the headers say of it. */
    static final class Call {
        final Map<String, String> headers;
        final byte[] event;

        Call(Map<String, String> headers, byte[] event) {
            this.headers = headers;
            this.event = event;
        }

        String header(String name) {
            return headers.get(name.toLowerCase(Locale.ROOT));
        }

        String id() {
            return header("Lambda-Runtime-Aws-Request-Id");
        }
    }

    private final String address;
    private final InputStream in;
    private final OutputStream out;

    RuntimeApi(String address) throws IOException {
        int colon = address.lastIndexOf(':');
        this.address = address;
        Socket socket = new Socket(address.substring(0, colon), Integer.parseInt(address.substring(colon + 1)));
        socket.setTcpNoDelay(true);
        in = new BufferedInputStream(socket.getInputStream(), 1 << 16);
        out = socket.getOutputStream();
    }

    Call next() throws IOException {
        send("GET", "/invocation/next", "", null);
        Map<String, String> headers = new HashMap<>();
        byte[] event = receive(headers);
        return new Call(headers, event);
    }

    void respond(String id, byte[] answer) throws IOException {
        send("POST", "/invocation/" + id + "/response", "", answer);
        receive(new HashMap<>());
    }

    /** A call's, or with no id that of init. */
    void fail(String id, String type, byte[] error) throws IOException {
        String path = id == null ? "/init/error" : "/invocation/" + id + "/error";
        send("POST", path, "Lambda-Runtime-Function-Error-Type: " + type + "\r\n", error);
        receive(new HashMap<>());
    }

    private void send(String method, String path, String headers, byte[] body) throws IOException {
        String length = body == null ? "" : "Content-Type: application/json\r\nContent-Length: " + body.length + "\r\n";
        String head = method + " " + PREFIX + path + " HTTP/1.1\r\nHost: " + address + "\r\n" + headers + length + "\r\n";
        byte[] bytes = head.getBytes(StandardCharsets.ISO_8859_1);
        int size = body == null ? 0 : body.length;
        byte[] whole = java.util.Arrays.copyOf(bytes, bytes.length + size);
        if (size > 0) {
            System.arraycopy(body, 0, whole, bytes.length, size);
        }
        out.write(whole);
        out.flush();
    }

    private byte[] receive(Map<String, String> headers) throws IOException {
        line(); // the status: an answer that was too large is told to the caller by the platform itself
        for (String line = line(); !line.isEmpty(); line = line()) {
            int colon = line.indexOf(':');
            headers.put(line.substring(0, colon).toLowerCase(Locale.ROOT), line.substring(colon + 1).trim());
        }
        int length = Integer.parseInt(headers.getOrDefault("content-length", "0"));
        byte[] body = in.readNBytes(length);
        if (body.length < length) {
            throw new EOFException();
        }
        return body;
    }

    private String line() throws IOException {
        byte[] line = new byte[256];
        int length = 0;
        for (int next = in.read(); next != '\n'; next = in.read()) {
            if (next < 0) {
                throw new EOFException();
            }
            if (length == line.length) {
                line = java.util.Arrays.copyOf(line, 2 * length);
            }
            line[length++] = (byte) next;
        }
        return new String(line, 0, length, StandardCharsets.UTF_8).trim();
    }
}
