/**
 * Room: checkpoint (level 3). What the files and folders of checkpoints are called. A name says what a thing is, and a temporary
 * one whose it is: nothing else in the folder is ever touched.
 */

export const recordFile = 'run.json';
export const tensorFiles = ['weights.safetensors', 'optimizer.safetensors'] as const;
export type TensorFile = (typeof tensorFiles)[number];
/** Links to the newest checkpoint and to the best one. */
export type LinkName = 'latest' | 'best';

const setAside = '.old';

/** `step-000001200`. */
export function folderOfStep(step: number): string {
  return `step-${String(step).padStart(9, '0')}`;
}

/** What a checkpoint is called while another of its step takes its place. */
export function asideOf(folder: string): string {
  return folder + setAside;
}

/** What a checkpoint's name says, or undefined for other names. */
export function stepNamed(name: string): { readonly step: number; readonly aside: boolean } | undefined {
  const aside = name.endsWith(setAside);
  const plain = aside ? name.slice(0, -setAside.length) : name;
  const step = /^step-\d{9,15}$/.test(plain) ? Number(plain.slice('step-'.length)) : Number.NaN;
  return folderOfStep(step) === plain ? { step, aside } : undefined;
}

/** A hidden name for something that becomes `name` or that was it; `serial` is of one write of this process. */
export function temporaryName(name: string, serial: number): string {
  return `.${name}.${process.pid}-${serial}.tmp`;
}

/** What is on its way out of the folder, under its temporary name. */
export function prunedName(name: string, serial: number): string {
  return temporaryName(`pruned-${name}`, serial);
}

/** Whose temporary thing a name stands for, or undefined for other names. */
export function ownerOf(name: string): { readonly pid: number; readonly serial: number } | undefined {
  const found = /^\.(?:(?:pruned-)?step-\d{9,15}(?:\.old)?|latest|best)\.(\d+)-(\d+)\.tmp$/.exec(name);
  return found ? { pid: Number(found[1]), serial: Number(found[2]) } : undefined;
}
