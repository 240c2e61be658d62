/**
 * Room: data (level 3). Pictures in folders, one folder a class, decoded by sharp and brought to one size: bytes (height, width,
 * channels). It promises an order that no system changes, by the names of classes and of the files in them; files and folders whose
 * names begin with a dot are no pictures. Decoding takes all cores: sharp works in threads of its own.
 */
import { closeSync, openSync, readdirSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative, sep } from 'node:path';
import type { Sharp, SharpOptions } from 'sharp';
import type { FormatConfig } from '../config/data.ts';
import { demandFile } from '../config/file.ts';
import { LockstepError } from '../errors.ts';
import type { OpenOptions } from './csv.ts';
import { malformed, reasonOf } from './file-bytes.ts';
import { fileSource } from './file-source.ts';
import { checkFitsArena } from './room.ts';
import { demandRoom, folderFor } from './row-folder.ts';
import { type DataSource, memorySource } from './source.ts';

type OpenPicture = (path: string, options: SharpOptions) => Sharp;

/** The pictures below a folder. Throws LOCKSTEP_FILE and LOCKSTEP_DATA. */
export async function imagesSource(config: FormatConfig<'images'>, { texts, mend, folder: given }: OpenOptions = {}): Promise<DataSource> {
  const { folder, size, channels, scale, limit } = config;
  const { classes, pictures } = findPictures(folder, texts?.classes, mend);
  if (limit !== undefined && limit > pictures.length) {
    throw new LockstepError(
      'LOCKSTEP_DATA',
      `Expected \`limit\` to be at most ${pictures.length}, the pictures of \`${folder}\`, got \`${limit}\`; lower it or leave it out.`,
    );
  }
  const taken = pictures.slice(0, limit);
  const [height, width] = size;
  const bytes = height * width * channels;
  const name = `\`${folder}\``;
  const rows = folderFor(config.streaming, given);
  if (!rows) checkFitsArena(name, taken.length * bytes);
  const open = await openSharp();

  /** Decodes all pictures and hands each over with its number, as they come. */
  async function decodeAll(put: (pixels: Uint8Array, index: number) => void): Promise<void> {
    let next = 0;
    async function decode(): Promise<void> {
      while (next < taken.length) {
        const index = next++;
        put(await decodePicture(open, taken[index]!.path, config), index);
      }
    }
    // Twice as many as cores: a file is read while another is decoded.
    const decoders = await Promise.allSettled(Array.from({ length: 2 * availableParallelism() }, decode));
    for (const decoder of decoders) if (decoder.status === 'rejected') throw decoder.reason;
  }

  const description = {
    name,
    inputShape: [height, width, channels],
    scale,
    labels: { kind: 'class', values: Int32Array.from(taken, ({ label }) => label) },
    texts: { classes, columns: {} },
  } as const;
  if (!rows) {
    const values = new Uint8Array(taken.length * bytes);
    await decodeAll((pixels, index) => values.set(pixels, index * bytes));
    return memorySource({ ...description, values });
  }
  const path = rows.newFile(name);
  const file = demandRoom(name, path, () => openSync(path, 'wx'));
  try {
    await decodeAll((pixels, index) => demandRoom(name, path, () => writeWhole(file, pixels, index * bytes)));
  } finally {
    closeSync(file);
  }
  return fileSource({ ...description, length: taken.length }, { path, offset: 0, type: 'uint8' });
}

function writeWhole(file: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, position + done);
}

/** Height, width and channels (1 or 3) of the first picture below a folder. Throws as `imagesSource` does. */
export async function lookAtPictures(folder: string): Promise<{ readonly size: readonly [number, number]; readonly channels: 1 | 3 }> {
  const { pictures } = findPictures(folder, undefined, undefined);
  const open = await openSharp();
  const { path } = pictures[0]!;
  try {
    const { height, width, channels } = await open(path, {}).metadata();
    return { size: [height, width], channels: channels <= 2 ? 1 : 3 };
  } catch (cause) {
    throw malformed(path, 'be a picture', `a file that does not decode (${reasonOf(cause)})`, 'mend it or take it out of its folder', { cause });
  }
}

interface Picture {
  readonly path: string;
  readonly label: number;
}

/** All pictures in their order. `known` are the classes of the training data, which others do not add to. */
function findPictures(
  folder: string,
  known: readonly string[] | undefined,
  mend: string | undefined,
): { readonly classes: readonly string[]; readonly pictures: Picture[] } {
  const found = demandFile(folder, 'a folder of pictures', mend, () => readdirSync(folder, { withFileTypes: true })).filter(({ name }) => !name.startsWith('.'));
  const stray = found.find((entry) => !(entry.isDirectory() || entry.isSymbolicLink()));
  if (stray) throw malformed(folder, 'hold one folder a class', `the file \`${stray.name}\``, 'put pictures into the folder of their class');
  const names = found.map(({ name }) => name).toSorted(byCodeUnit);
  const classes = known ?? names;
  const pictures = names.flatMap((name) => {
    const label = classes.indexOf(name);
    if (label === -1) throw malformed(folder, 'hold folders of the classes of the training data', `\`${name}\``, 'rename it, or add the class to the training data');
    return filesBelow(join(folder, name)).map((path) => ({ path, label }));
  });
  if (pictures.length === 0) throw malformed(folder, 'hold one folder of pictures a class', 'no pictures', 'check the path');
  return { classes, pictures };
}

/** Files at any depth, sorted by their paths with `/` between folders. */
function filesBelow(folder: string): string[] {
  const nameOf = (path: string): string => relative(folder, path).split(sep).join('/');
  return demandFile(folder, 'a folder of pictures', undefined, () => readdirSync(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !/(^|\/)\./.test(nameOf(path)))
    .toSorted((a, b) => byCodeUnit(nameOf(a), nameOf(b)));
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function openSharp(): Promise<OpenPicture> {
  try {
    return (await import('sharp')).default;
  } catch (cause) {
    throw new LockstepError(
      'LOCKSTEP_DATA',
      'Expected the npm package `sharp` for pictures, but it is not installed or has no binary for this system; run `npm install sharp`.',
      { cause },
    );
  }
}

/** A picture in the size and colours of the config; its proportions give way. Transparency is left out, of an animation all but the first frame. */
async function decodePicture(open: OpenPicture, path: string, { size: [height, width], channels }: FormatConfig<'images'>): Promise<Uint8Array> {
  try {
    const picture = open(path, { failOn: 'warning' })
      .removeAlpha()
      .resize(width, height, { fit: 'fill', fastShrinkOnLoad: false })
      .toColourspace(channels === 1 ? 'b-w' : 'srgb')
      .raw({ depth: 'uchar' });
    const { data, info } = await picture.toBuffer({ resolveWithObject: true });
    if (info.channels === channels && data.length === height * width * channels) return data;
    throw new Error(`it decodes to ${info.channels} channels`);
  } catch (cause) {
    throw malformed(path, 'be a picture', `a file that does not decode (${reasonOf(cause)})`, 'mend it or take it out of its folder', { cause });
  }
}
