/*
 * What duet-bench prints (see report.h).
 *
 * A table stands for each case, a line for each size, a column for each contender. JSON and TSV
 * have one object or line for each figure, with its quartiles.
 */
#include "bench/report.h"

#include <duet/duet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ROWS_MOST = 1024, NAME_SIZE = 64, WIDTH_LEAST = 8 };

static enum report_format format;
static struct bench_row rows[ROWS_MOST];
static char contenders[ROWS_MOST][NAME_SIZE]; /* a row only borrows the name */
static size_t row_count;

void
report_begin(enum report_format wanted)
{
    format = wanted;
    if (format == REPORT_TABLES)
        printf("duet %s, kernel %s\n", duet_version(), duet_kernel_name());
    else if (format == REPORT_JSON)
        printf("{\"version\": \"%s\", \"kernel\": \"%s\", \"figures\": [", duet_version(),
               duet_kernel_name());
    else
        printf("# duet\t%s\n# kernel\t%s\n", duet_version(), duet_kernel_name());
}

static void
print_json(const struct bench_row *row)
{
    printf("%s\n  {\"bench\": \"%s\", \"case\": \"%s\", \"bytes\": %" PRIu64
           ", \"octets\": %" PRIu64
           ", \"contender\": \"%s\", \"unit\": \"%s\", \"median\": %.4g, \"low\": %.4g, "
           "\"high\": %.4g, \"rounds\": %u}",
           row_count > 0 ? "," : "", row->bench, row->what, row->size, row->size, row->contender,
           row->unit, row->median, row->low, row->high, row->rounds);
}

static void
keep_row(const struct bench_row *row)
{
    snprintf(contenders[row_count], NAME_SIZE, "%s", row->contender);
    rows[row_count] = *row;
    rows[row_count].contender = contenders[row_count];
}

void
report_row(void *context, const struct bench_row *row)
{
    (void)context;
    if (format == REPORT_TSV)
        printf("%s\t%s\t%" PRIu64 "\t%s\t%s\t%.4g\t%.4g\t%.4g\t%u\n", row->bench, row->what,
               row->size, row->contender, row->unit, row->median, row->low, row->high, row->rounds);
    else if (format == REPORT_JSON)
        print_json(row);
    else if (row_count < ROWS_MOST)
        keep_row(row);
    row_count++;
    fflush(stdout);
}

/* ---- Tables ---- */

static int
same_case(const struct bench_row *a, const struct bench_row *b)
{
    return strcmp(a->bench, b->bench) == 0 && strcmp(a->what, b->what) == 0 &&
           strcmp(a->unit, b->unit) == 0;
}

/** Print three significant digits with a unit that suits. */
static void
print_value(const struct bench_row *row, int width)
{
    char text[32];
    double value = row->median;
    int counted = strcmp(row->unit, "bytes") == 0 || strcmp(row->unit, "flights") == 0;
    const char *unit = strcmp(row->unit, "ns") == 0 ? " ns" : "";
    int digits = 2;

    if (*unit != 0 && value >= 1e6) {
        value /= 1e6;
        unit = " ms";
    } else if (*unit != 0 && value >= 1e4) {
        value /= 1e3;
        unit = " us";
    }
    if (counted || value >= 100)
        digits = 0;
    else if (value >= 10)
        digits = 1;
    snprintf(text, sizeof text, "%.*f%s", digits, value, unit);
    printf("  %*s", width, text);
}

static int
column_width(const struct bench_row *row)
{
    int name = (int)strlen(row->contender);

    return name > WIDTH_LEAST ? name : WIDTH_LEAST;
}

/** Print the adjacent rows of one case and size as one line. Returns how many they are. */
static size_t
print_line(const struct bench_row *row, size_t count)
{
    size_t n = 0;

    if (row->size > 0)
        printf("%10" PRIu64, row->size);
    else
        printf("%10s", "");
    for (; n < count && same_case(row, &row[n]) && row[n].size == row->size; n++)
        print_value(&row[n], column_width(&row[n]));
    putchar('\n');
    return n;
}

static void
print_heading(const struct bench_row *row, size_t count)
{
    const char *unit = row->unit;

    if (strcmp(unit, "ratio") == 0)
        unit = "the first's time to the second's";
    else if (strcmp(unit, "ns") == 0)
        unit = "time";
    printf("\n%s, %s: %s\n%10s", row->bench, row->what, unit, row->size > 0 ? "bytes" : "");
    for (size_t n = 0; n < count && same_case(row, &row[n]) && row[n].size == row->size; n++)
        printf("  %*s", column_width(&row[n]), row[n].contender);
    putchar('\n');
}

static int
is_first_of_case(size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (same_case(&rows[k], &rows[i]))
            return 0;
    return 1;
}

/** Print the case that row i is the first of, with all its later rows. */
static void
print_case(size_t i)
{
    const struct bench_row *first = &rows[i];

    print_heading(first, row_count - i);
    while (i < row_count)
        i += same_case(first, &rows[i]) ? print_line(&rows[i], row_count - i) : 1;
}

int
report_end(void)
{
    if (format == REPORT_JSON)
        puts("\n]}");
    if (row_count > ROWS_MOST)
        row_count = ROWS_MOST;
    for (size_t i = 0; format == REPORT_TABLES && i < row_count; i++)
        if (is_first_of_case(i))
            print_case(i);
    return fflush(stdout) != 0 || ferror(stdout) ? -1 : 0;
}
