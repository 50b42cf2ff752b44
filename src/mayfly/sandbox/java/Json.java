package mayfly;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads JSON as maps, lists, strings, numbers, booleans and null. Bindings make other types of them. */
final class Json {
    private static final int DEEPEST = 1000;

    private final String text;
    private int at;
    private int depth;

    private Json(String text) {
        this.text = text;
    }

    static Object read(String text) {
        if (text.isBlank()) {
            return null;
        }
        Json json = new Json(text);
        Object value = json.value();
        json.space();
        if (json.at < text.length()) {
            throw json.wrong();
        }
        return value;
    }

    private Object value() {
        space();
        switch (peek()) {
            case '{':
                return object();
            case '[':
                return array();
            case '"':
                return string();
            case 't':
                return word("true", true);
            case 'f':
                return word("false", false);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Map<String, Object> object() {
        Map<String, Object> members = new LinkedHashMap<>();
        enter();
        space();
        if (peek() != '}') {
            do {
                space();
                if (peek() != '"') {
                    throw wrong();
                }
                String name = string();
                space();
                expect(':');
                members.put(name, value());
                space();
            } while (another('}'));
        }
        expect('}');
        depth--;
        return members;
    }

    private List<Object> array() {
        List<Object> items = new ArrayList<>();
        enter();
        space();
        if (peek() != ']') {
            do {
                items.add(value());
                space();
            } while (another(']'));
        }
        expect(']');
        depth--;
        return items;
    }

    private void enter() {
        at++;
        if (++depth > DEEPEST) {
            throw new IllegalArgumentException("JSON is nested more than " + DEEPEST + " deep");
        }
    }

    private boolean another(char end) {
        if (peek() == end) {
            return false;
        }
        expect(',');
        return true;
    }

    private String string() {
        StringBuilder made = new StringBuilder();
        at++;
        for (char next = take(); next != '"'; next = take()) {
            if (next < ' ') {
                throw wrong();
            }
            made.append(next == '\\' ? escaped() : next);
        }
        return made.toString();
    }

    private char escaped() {
        char next = take();
        int which = "bfnrt".indexOf(next);
        if (which >= 0) {
            return "\b\f\n\r\t".charAt(which);
        }
        if (next == 'u' && at + 4 <= text.length()) {
            at += 4;
            return (char) Integer.parseInt(text.substring(at - 4, at), 16);
        }
        if ("\"\\/".indexOf(next) < 0) {
            throw wrong();
        }
        return next;
    }

    private Object number() {
        int from = at;
        while (at < text.length() && "+-.0123456789eE".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        String digits = text.substring(from, at);
        if (digits.isEmpty()) {
            throw wrong();
        }
        if (digits.matches("-?\\d{1,9}")) {
            return Integer.valueOf(digits);
        }
        if (digits.matches("-?\\d+")) {
            BigInteger whole = new BigInteger(digits);
            return whole.bitLength() < 32 ? (Object) whole.intValue() : whole.bitLength() < 64 ? (Object) whole.longValue() : whole;
        }
        double value = Double.parseDouble(digits);
        return Double.isInfinite(value) ? (Object) new BigDecimal(digits) : value;
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) {
            throw wrong();
        }
        at += word.length();
        return value;
    }

    private void space() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private char peek() {
        if (at >= text.length()) {
            throw wrong();
        }
        return text.charAt(at);
    }

    private char take() {
        char next = peek();
        at++;
        return next;
    }

    private void expect(char wanted) {
        if (take() != wanted) {
            at--;
            throw wrong();
        }
    }

    private IllegalArgumentException wrong() {
        return new IllegalArgumentException("not JSON at character " + at);
    }
}
