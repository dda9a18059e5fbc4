/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/wait.h"

enum {
    PENDING_MOST = 1 << 20, /* behind by this much, lines are dropped */
    PENDING_WAKE = 64 << 10,
    GATHER_MS = 100,
};

enum log_level log_threshold = LOG_INFO;

static struct {
    pthread_mutex_t mutex; /* guards the fields up to the empty line */
    pthread_cond_t wake;
    bool running, stopping, urgent;
    enum log_format format;
    struct buf pending; /* lines the writer has not taken yet */
    uint64_t dropped;

    /* The writer's own, once it runs. */
    pthread_t writer;
    char *file_name;
    int file;
    bool file_failed;
} logger = {.mutex = PTHREAD_MUTEX_INITIALIZER, .file = -1};

static atomic_bool reopen_wanted;

/* ---- How a line looks ---- */

static const char *const level_names[] = {"debug", "info", "warn", "error"};

/* The bytes a control character has in well-formed text; 0 when there is none at 'at'. Those from
 * U+0080 to U+009F count: some terminals obey them. */
static size_t control_len(const char *at, size_t len)
{
    unsigned char c = (unsigned char)at[0];
    if (c < 0x20 || c == 0x7f) return 1;
    return c == 0xc2 && len >= 2 && (unsigned char)at[1] < 0xa0 ? 2 : 0;
}

static void add_hex(struct buf *out, const char *prefix, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    buf_add_str(out, str_of(prefix));
    buf_add_char(out, hex[c >> 4]);
    buf_add_char(out, hex[c & 15]);
}

static void add_control(struct buf *out, unsigned char c)
{
    switch (c) {
    case '\n': buf_add_str(out, STR("\\n")); break;
    case '\r': buf_add_str(out, STR("\\r")); break;
    case '\t': buf_add_str(out, STR("\\t")); break;
    default: add_hex(out, "\\u00", c);
    }
}

static void add_well_formed(struct buf *out, struct str s)
{
    while (s.len) {
        size_t run = 0, control = 0;
        while (run < s.len && !(control = control_len(s.data + run, s.len - run)))
            run++;
        emit_escape(out, (struct str){s.data, run});
        if (control) add_control(out, (unsigned char)s.data[run + control - 1]);
        s = (struct str){s.data + run + control, s.len - run - control};
    }
}

/* Any bytes at all, as the inside of a string. A byte that is no UTF-8 cannot stand in JSON. */
static void add_escaped(struct buf *out, enum log_format format, struct str s)
{
    while (s.len) {
        size_t good = str_utf8_prefix(s);
        add_well_formed(out, (struct str){s.data, good});
        if (good == s.len) return;
        unsigned char bad = (unsigned char)s.data[good];
        if (bad == 0)
            add_control(out, bad);
        else if (format == LOG_JSON)
            buf_add_str(out, STR("\\ufffd"));
        else
            add_hex(out, "\\x", bad);
        s = (struct str){s.data + good + 1, s.len - good - 1};
    }
}

static bool needs_quotes(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        if (c <= ' ' || c > '~' || c == '"' || c == '=' || c == '\\') return true;
    }
    return s.len == 0;
}

/* RFC 3339 with milliseconds always, so that columns line up. */
static struct str line_time(char text[TIME_TEXT_SIZE])
{
    size_t len = time_format(clock_now_ms(), text);
    if (!memchr(text, '.', len)) {
        memcpy(text + len - 1, ".000Z", 6);
        len += 4;
    }
    return (struct str){text, len};
}

static void add_text_field(struct buf *out, const struct log_field *field)
{
    buf_add_char(out, ' ');
    buf_add_str(out, str_of(field->name));
    buf_add_char(out, '=');
    bool quotes = field->text.data && needs_quotes(field->text);
    if (quotes) buf_add_char(out, '"');
    if (field->text.data)
        add_escaped(out, LOG_TEXT, field->text);
    else
        buf_add_i64(out, field->number);
    if (quotes) buf_add_char(out, '"');
}

static void add_json_field(struct buf *out, const struct log_field *field)
{
    emit_key(out, field->name);
    if (!field->text.data) {
        emit_i64(out, field->number);
        return;
    }
    buf_add_char(out, '"');
    add_escaped(out, LOG_JSON, field->text);
    buf_add_char(out, '"');
}

static void add_field(struct buf *out, enum log_format format, const struct log_field *field)
{
    if (format == LOG_JSON)
        add_json_field(out, field);
    else
        add_text_field(out, field);
}

static void add_head(struct buf *out, enum log_format format, enum log_level level,
                     struct str message)
{
    char time[TIME_TEXT_SIZE];
    struct str at = line_time(time), name = str_of(level_names[level]);
    if (format == LOG_JSON) {
        buf_add_char(out, '{'); /* not emit_open(): lines stand before this one */
        add_json_field(out, &LOG_STR("time", at));
        add_json_field(out, &LOG_STR("level", name));
        add_json_field(out, &LOG_STR("message", message));
        return;
    }
    buf_add_str(out, at);
    buf_add_char(out, ' ');
    buf_add_str(out, name);
    buf_add(out, "  ", 6 - name.len);
    add_escaped(out, LOG_TEXT, message);
}

/* With the lock held. */
static void add_line(enum log_level level, const char *message, const struct log_field *fields,
                     size_t count)
{
    struct buf *out = &logger.pending;
    add_head(out, logger.format, level, str_of(message));
    for (size_t i = 0; i < count; i++)
        add_field(out, logger.format, &fields[i]);
    if (logger.dropped) add_field(out, logger.format, &LOG_NUM("dropped", logger.dropped));
    logger.dropped = 0;
    if (logger.format == LOG_JSON) buf_add_char(out, '}');
    buf_add_char(out, '\n');
}

/* ---- Where lines go ---- */

/* Returns 0 or what errno said. */
static int write_all(int fd, struct str s)
{
    while (s.len) {
        ssize_t done = write(fd, s.data, s.len);
        if (done >= 0) {
            s = (struct str){s.data + done, s.len - (size_t)done};
        } else if (errno == EAGAIN) {
            /* Whoever shares our terminal may have made it non-blocking. */
            struct pollfd ready = {.fd = fd, .events = POLLOUT};
            poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

static int file_open(const char *name)
{
    return open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
}

static void file_trouble(const char *message, int error)
{
    log_error(message, LOG_STR("file", str_of(logger.file_name)),
              LOG_STR("reason", str_of(strerror(error))));
}

static void file_reopen(void)
{
    int file = file_open(logger.file_name);
    if (file < 0) {
        file_trouble("cannot reopen the log file, the old one stays in use", errno);
        return;
    }
    close(logger.file);
    logger.file = file;
}

/* When stderr fails there is nobody left to tell; when the file does, stderr is told once. */
static void write_lines(struct str lines)
{
    write_all(STDERR_FILENO, lines);
    if (logger.file < 0) return;
    int error = write_all(logger.file, lines);
    bool failed_before = logger.file_failed;
    logger.file_failed = error != 0;
    if (error && !failed_before) file_trouble("cannot write to the log file", error);
}

/* ---- The writer ---- */

/* With the lock held: waits until somebody is in a hurry, or for a tenth of a second. */
static void writer_wait(void)
{
    struct timespec deadline = deadline_in(GATHER_MS);
    int error = 0;
    while (!logger.urgent && !logger.stopping && error == 0)
        error = pthread_cond_timedwait(&logger.wake, &logger.mutex, &deadline);
    logger.urgent = false;
}

static void *writer_run(void *unused)
{
    struct buf lines = {0};
    bool stop = false;
    while (!stop) {
        pthread_mutex_lock(&logger.mutex);
        writer_wait();
        stop = logger.stopping;
        struct buf taken = logger.pending;
        logger.pending = lines;
        lines = taken;
        pthread_mutex_unlock(&logger.mutex);

        if (atomic_exchange(&reopen_wanted, false) && logger.file >= 0) file_reopen();
        write_lines(buf_str(&lines));
        buf_clear(&lines);
    }
    buf_free(&lines);
    return unused;
}

/* The writer takes no signals: they are for the threads that wait for them, and with SIGPIPE
 * blocked a closed pipe is an error of write() only. */
static int writer_start(void)
{
    sigset_t all, before;
    wait_cond_init(&logger.wake);

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&logger.writer, NULL, writer_run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

bool log_start(enum log_level level, enum log_format format, const char *file)
{
    assert(!logger.running);
    int fd = -1;
    if (file && (fd = file_open(file)) < 0) return false;

    pthread_mutex_lock(&logger.mutex);
    logger.format = format;
    logger.stopping = logger.urgent = logger.file_failed = false;
    logger.file = fd;
    logger.file_name = file ? strdup(file) : NULL;
    if (file && !logger.file_name) out_of_memory();
    log_threshold = level;
    int error = writer_start();
    logger.running = error == 0;
    pthread_mutex_unlock(&logger.mutex);

    if (error) {
        if (fd >= 0) close(fd);
        free(logger.file_name);
        logger.file_name = NULL;
        logger.file = -1;
        errno = error;
    }
    return error == 0;
}

void log_reopen(void)
{
    atomic_store(&reopen_wanted, true);
}

void log_stop(void)
{
    pthread_mutex_lock(&logger.mutex);
    bool was_running = logger.running && !logger.stopping;
    logger.stopping = true;
    if (was_running) pthread_cond_signal(&logger.wake);
    pthread_mutex_unlock(&logger.mutex);
    if (!was_running) return;
    pthread_join(logger.writer, NULL);

    /* What came while the writer was at its last lines. */
    pthread_mutex_lock(&logger.mutex);
    if (logger.dropped) add_line(LOG_WARN, "log lines were dropped", NULL, 0);
    struct buf last = logger.pending;
    logger.pending = (struct buf){0};
    logger.running = false;
    pthread_mutex_unlock(&logger.mutex);

    write_lines(buf_str(&last));
    buf_free(&last);
    if (logger.file >= 0) close(logger.file);
    logger.file = -1;
    free(logger.file_name);
    logger.file_name = NULL;
    pthread_cond_destroy(&logger.wake);
}

void log_write(enum log_level level, const char *message, const struct log_field *fields,
               size_t count)
{
    pthread_mutex_lock(&logger.mutex);
    size_t before = logger.pending.len;
    if (before >= PENDING_MOST)
        logger.dropped++;
    else
        add_line(level, message, fields, count);

    if (!logger.running) {
        write_all(STDERR_FILENO, buf_str(&logger.pending));
        buf_free(&logger.pending);
    } else if (level >= LOG_ERROR ||
               (before < PENDING_WAKE && logger.pending.len >= PENDING_WAKE)) {
        logger.urgent = true;
        pthread_cond_signal(&logger.wake);
    }
    pthread_mutex_unlock(&logger.mutex);
}

void trouble_is(struct trouble *trouble, struct str reason)
{
    if (!trouble->there) log_warn(trouble->what, LOG_STR("reason", reason));
    trouble->there = true;
}

void trouble_over(struct trouble *trouble)
{
    if (trouble->there) log_info("that is over", LOG_STR("what", str_of(trouble->what)));
    trouble->there = false;
}
