import { statfs } from "node:fs/promises";

// Look whether everything is well; throw where it is not, and the alarm goes off.
export const handler = async () => {
  const disk = await statfs("/tmp");
  const free = disk.bavail / disk.blocks;
  console.log(`${Math.round(free * 100)} % of the disk are free`);
  if (free < 0.05) throw new Error("the disk is almost full");
  return { free };
};
