/**
 * Room: data (level 3). CSV files as RFC 4180 describes them: fields between delimiters, quoted where they hold a delimiter, a quote or
 * the end of a line; LF ends a row as CRLF does. It promises that a number is `Math.fround(Number(text))` and that whatever does not
 * fit is told with its row, counted from 1 at the top of the file; empty lines are passed over. Files of any size are read in pieces.
 */
import { show } from '../check.ts';
import type { FormatConfig } from '../config/data.ts';
import { type FileBytes, malformed, withFile } from './file-bytes.ts';
import { scanEnd, scanNumber } from './number-scan.ts';
import { folderFor, type RowFolder } from './row-folder.ts';
import type { DataSource, Texts } from './source.ts';
import { slotKind, Table } from './table.ts';

/** What is read at a time, and what a row takes at most: a larger one is a quote that nobody closed. */
const windowBytes = 8 * 2 ** 20;
const mostRowBytes = 64 * 2 ** 20;
const [lf, cr, quote] = [0x0a, 0x0d, 0x22];

export interface OpenOptions {
  /** What texts became in the training data. */
  readonly texts?: Texts | undefined;
  /** What to do when a file is missing. */
  readonly mend?: string | undefined;
  /** Where rows go that must be converted before they are read from disk; absent: to a folder that goes with the process. */
  readonly folder?: RowFolder | undefined;
}

/** The rows of a CSV file. Throws LOCKSTEP_FILE and LOCKSTEP_DATA. */
export function csvSource(config: FormatConfig<'csv'>, { texts, mend, folder }: OpenOptions = {}): DataSource {
  return withFile(config.file, 'a CSV file', mend, (file) => {
    const reader = new CsvReader(file, config.delimiter.charCodeAt(0));
    const first = reader.fields(config.header);
    if (!first) throw malformed(config.file, 'hold at least one row', 'an empty file', 'give it data');
    const names = config.header ? first : first.map((_, index) => String(index));
    const table = new Table(names, { ...config, name: `\`${config.file}\``, texts, expectedRows: reader.expectedRows, folder: folderFor(config.streaming, folder) });
    while (!table.isFull && reader.take(table, names.length)) {
      // Each goes into the table.
    }
    return table.finish();
  });
}

/** The texts of the first rows, `most` of them, a header included. Throws as `csvSource` does. */
export function csvHead(path: string, delimiter: string, most: number): string[][] {
  return withFile(path, 'a CSV file', undefined, (file) => {
    const reader = new CsvReader(file, delimiter.charCodeAt(0));
    const rows: string[][] = [];
    for (let fields = reader.fields(true); fields && rows.length < most; fields = reader.fields(true)) rows.push(fields);
    return rows;
  });
}

class CsvReader {
  readonly #file: FileBytes;
  readonly #delimiter: number;
  #bytes: Uint8Array = new Uint8Array(0);
  /** Where the row that is read begins in `#bytes`, which end at byte `#position` of the file. */
  #at = 0;
  #position = 0;
  /** Rows before it. */
  #rows = 0;
  /** Of the field that was read last: its first byte behind, what ended it, and its text where it was quoted. */
  #end = 0;
  #endsRow = false;

  constructor(file: FileBytes, delimiter: number) {
    this.#file = file;
    this.#delimiter = delimiter;
    this.#more();
    if (this.#bytes[0] === 0xef && this.#bytes[1] === 0xbb && this.#bytes[2] === 0xbf) this.#at = 3;
  }

  /** How many rows the file has if all are as long as the first ones. */
  get expectedRows(): number {
    let rows = 1;
    const sample = this.#bytes.subarray(0, 2 ** 16);
    for (const byte of sample) if (byte === lf) rows++;
    return Math.ceil((1.02 * rows * this.#file.size) / Math.max(1, sample.length)) + 16;
  }

  /** The texts of the next row, which is passed if `passes`; undefined at the end of the file. */
  fields(passes: boolean): string[] | undefined {
    for (;;) {
      if (!this.#skipEmpty()) return undefined;
      const texts: string[] = [];
      this.#end = this.#at;
      let text = this.#field(this.#at, 0);
      for (; text !== undefined; text = this.#field(this.#end, texts.length)) {
        texts.push(text);
        if (!this.#endsRow) continue;
        if (passes) this.#pass();
        return texts;
      }
      this.#more();
    }
  }

  /** Reads the next row into the table; false at the end of the file. */
  take(table: Table, columns: number): boolean {
    for (;;) {
      if (!this.#skipEmpty()) return false;
      if (this.#row(table, columns)) {
        table.endRow(this.#rows + 1);
        this.#pass();
        return true;
      }
      this.#more();
    }
  }

  get #isLast(): boolean {
    return this.#position === this.#file.size;
  }

  #pass(): void {
    this.#at = this.#end;
    this.#rows++;
  }

  /** Passes empty lines; false when nothing follows. */
  #skipEmpty(): boolean {
    for (;;) {
      while (this.#at + 1 >= this.#bytes.length && !this.#isLast) this.#more();
      const bytes = this.#bytes;
      const width = bytes[this.#at] === lf ? 1 : bytes[this.#at] === cr && (bytes[this.#at + 1] === lf || this.#at + 1 === bytes.length) ? 2 : 0;
      if (width === 0) return this.#at < bytes.length;
      this.#at = Math.min(this.#at + width, bytes.length);
      this.#rows++;
    }
  }

  /** False when the row goes on beyond what was read. */
  #row(table: Table, columns: number): boolean {
    const { kinds, row } = table;
    const { ofColumn, label } = table.slots;
    const bytes = this.#bytes;
    const end = bytes.length;
    let at = this.#at;
    for (let column = 0; ; column++) {
      if (column === columns) throw this.#refuseWidth(columns, 'more');
      const slot = ofColumn[column]!;
      // Classes are integers of any size, of which a scan promises only the float32.
      if (slot >= 0 && kinds[slot] === slotKind.number && slot !== label) {
        const value = scanNumber(bytes, at, end);
        const after = scanEnd;
        const byte = after < end ? bytes[after]! : 0;
        if (!Number.isNaN(value) && (byte === this.#delimiter || byte === lf || (byte === cr && bytes[after + 1] === lf))) {
          row[slot] = value;
          at = after + 1;
          if (byte === this.#delimiter) continue;
          if (column + 1 < columns) throw this.#refuseWidth(columns, String(column + 1));
          this.#end = byte === cr ? at + 1 : at;
          return true;
        }
      }
      const text = this.#field(at, column);
      if (text === undefined) return false;
      if (slot >= 0) table.put(slot, text, this.#rows + 1);
      at = this.#end;
      if (!this.#endsRow) continue;
      if (column + 1 < columns) throw this.#refuseWidth(columns, String(column + 1));
      return true;
    }
  }

  /** The text of the field at `at`, whose end is then `#end`; undefined when it goes on beyond what was read. */
  #field(at: number, column: number): string | undefined {
    const bytes = this.#bytes;
    const start = bytes[at] === quote ? this.#closing(at, column) : at;
    if (start === undefined) return undefined;
    let i = start;
    while (i < bytes.length && bytes[i] !== this.#delimiter && bytes[i] !== lf) i++;
    if (i === bytes.length && !this.#isLast) return undefined;
    this.#endsRow = i === bytes.length || bytes[i] === lf;
    this.#end = Math.min(i + 1, bytes.length);
    const stop = this.#endsRow && i > start && bytes[i - 1] === cr ? i - 1 : i;
    if (start === at) return decode(bytes.subarray(at, stop));
    if (start < stop)
      throw this.#refuseField(column, 'ends at its closing quote', show(decode(bytes.subarray(start, Math.min(stop, start + 40)))), 'write a quote inside of it twice');
    return decode(bytes.subarray(at + 1, start - 1)).replaceAll('""', '"');
  }

  /** The byte after the closing quote of the field at `at`. */
  #closing(at: number, column: number): number | undefined {
    const bytes = this.#bytes;
    for (let i = at + 1; ; i += 2) {
      i = bytes.indexOf(quote, i);
      if (i === -1 || (i + 1 === bytes.length && !this.#isLast)) {
        if (this.#isLast) throw this.#refuseField(column, 'has a closing quote', 'the end of the file', 'close it');
        return undefined;
      }
      if (bytes[i + 1] !== quote) return i + 1;
    }
  }

  /** Reads on; what belongs to the row stays. */
  #more(): void {
    const rest = this.#bytes.subarray(this.#at);
    if (rest.length > mostRowBytes) {
      throw malformed(this.#file.path, `have rows of at most ${mostRowBytes / 2 ** 20} MiB`, `more in row ${this.#rows + 1}`, 'close the quote that begins there');
    }
    // Twice as much each time that a row does not end.
    const length = Math.min(Math.max(windowBytes, 2 * rest.length), this.#file.size - this.#position);
    const bytes = new Uint8Array(rest.length + length);
    bytes.set(rest);
    bytes.set(this.#file.read(this.#position, length), rest.length);
    this.#bytes = bytes;
    this.#position += length;
    this.#at = 0;
  }

  #refuseWidth(columns: number, received: string): Error {
    return malformed(this.#file.path, `have ${columns} fields in row ${this.#rows + 1}, as in its first`, received, 'mend the row, or check the `delimiter`');
  }

  #refuseField(column: number, rule: string, received: string, mend: string): Error {
    return malformed(this.#file.path, `have a field ${column + 1} in row ${this.#rows + 1} that ${rule}`, received, mend);
  }
}

function decode(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}
